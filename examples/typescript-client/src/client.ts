// One client, whoever asks: urql sends typed documents, and what people should put right is thrown as it was said.
import { Client, fetchExchange, type TypedDocumentNode } from '@urql/core';

/** What a mutation says is wrong: `field` is the path in its input. */
export interface UserError {
  code: string;
  field: string[];
  message: string;
}

/** The payload of a mutation, whatever else is in it. */
export interface Payload {
  userErrors: UserError[];
}

export class Api {
  readonly #client: Client;

  /** `token` is a session's or a source's key; without one only signing in is possible. */
  constructor(url: string, token?: string) {
    this.#client = new Client({
      url,
      exchanges: [fetchExchange],
      // leadyard answers POST only, so that no other site can ask in a browser's name.
      preferGetMethod: false,
      fetchOptions: { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } },
    });
  }

  /** Asks; an error of the request (not signed in, not allowed, too costly) is thrown. */
  async ask<Data, Variables extends Record<string, unknown>>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
  ): Promise<Data> {
    const result = await this.#client.query(document, variables, { requestPolicy: 'network-only' }).toPromise();
    if (result.error || !result.data) throw result.error ?? new Error('an empty answer');
    return result.data;
  }

  /** Changes something; whatever is to be put right is thrown, field by field. */
  async change<Data extends Record<string, unknown>, Variables extends Record<string, unknown>>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
  ): Promise<Data> {
    const result = await this.#client.mutation(document, variables).toPromise();
    if (result.error || !result.data) throw result.error ?? new Error('an empty answer');
    const wrong = Object.values(result.data).flatMap((payload) => (payload as Payload | null)?.userErrors ?? []);
    if (wrong.length > 0) {
      throw new Error(wrong.map(({ code, field, message }) => `${field.join('.')}: ${message} (${code})`).join('; '));
    }
    return result.data;
  }
}

/** What was asked for and must be there. */
export function there<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new Error(`there is no ${what}`);
  return value;
}
