import type { CodegenConfig } from '@graphql-codegen/cli';

// The documents in src/ become typed by the server's schema: a field that does not exist, a variable that is missing or a
// result that is used wrongly fails `npm run check`, not a customer.
const config: CodegenConfig = {
  schema: '../../schema.graphql',
  documents: 'src/**/*.ts',
  ignoreNoDocuments: false,
  importExtension: '.js',
  emitLegacyCommonJSImports: false,
  generates: {
    'src/generated/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: {
        useTypeImports: true,
        enumsAsTypes: true,
        strictScalars: true,
        // How leadyard's own scalars arrive in JSON. Amounts are texts: 64 bits do not fit a JavaScript number.
        scalars: {
          Condition: 'unknown',
          Date: 'string',
          DateTime: 'string',
          EmailAddress: 'string',
          MinorUnits: 'string',
          PhoneNumber: 'string',
          PostalCode: 'string',
          TimeZone: 'string',
          WholeNumber: 'string',
        },
      },
    },
  },
};

export default config;
