// The public audit of GraphQL over HTTP (https://github.com/graphql/graphql-http), run against a server:
//
//     npm ci && node audit.mjs http://127.0.0.1:8080/graphql
//
// Prints one line per rule that is not kept and the sums; ends non-zero if a MUST or a SHOULD is not kept.
import { serverAudits } from 'graphql-http';

const url = process.argv[2];
if (!url) {
  console.error('usage: node audit.mjs URL');
  process.exit(2);
}

const kinds = { MUST: 0, SHOULD: 0, MAY: 0 };
const kept = { ...kinds };
const broken = [];
for (const audit of serverAudits({ url })) {
  const kind = audit.name.split(' ')[0];
  const result = await audit.fn();
  if (!(kind in kinds)) throw new Error(`an audit of an unknown kind: ${audit.name}`);
  kinds[kind] += 1;
  if (result.status === 'ok') {
    kept[kind] += 1;
    continue;
  }
  if (kind !== 'MAY') broken.push(audit.name);
  console.log(`${result.status.padEnd(6)} ${audit.id} ${audit.name}: ${result.reason}`);
}

for (const kind of Object.keys(kinds)) console.log(`${kind}: ${kept[kind]} of ${kinds[kind]}`);
// An audit that audits nothing is none.
process.exit(broken.length > 0 || kinds.MUST === 0 || kinds.SHOULD === 0 ? 1 : 0);
