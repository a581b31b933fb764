// GraphQL Yoga over leadyard's own tables: a hand-written schema, a loader for every level, the caller's scope in every
// statement.
import DataLoader from "dataloader";
import { createSchema, createYoga } from "graphql-yoga";
import pg from "pg";
import { who } from "./who.mjs";
import { serve } from "./workers.mjs";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: Number(process.env.CONNECTIONS ?? "10"), idleTimeoutMillis: 1_000 });

const typeDefs = /* GraphQL */ `
  type Query { buyers(first: Int!): [Buyer!]! }
  type Buyer { id: ID! name: String! status: String! contracts(first: Int!): [Contract!]! sales(first: Int!): [Sale!]! }
  type Contract { id: ID! name: String! status: String! }
  type Sale { id: ID! state: String! priceMinor: String! soldAt: String! lead: Lead }
  type Lead { id: ID! state: String! receivedAt: String! }
`;

// $1 is whether staff asks, $2 the caller's buyer.
const BUYERS = `SELECT id, name, status FROM buyer WHERE $1 OR id = $2 ORDER BY name, id LIMIT $3`;
const perBuyer = (table, columns, order) => `SELECT p.* FROM unnest($3::uuid[]) AS b(id) CROSS JOIN LATERAL
  (SELECT ${columns} FROM ${table} t WHERE t.buyer_id = b.id AND ($1 OR t.buyer_id = $2) ORDER BY ${order} LIMIT $4) p`;
const CONTRACTS = perBuyer("contract", "id, buyer_id, name, status", "name, id");
const SALES = perBuyer("sale", "id, buyer_id, lead_id, state, price_minor, sold_at", "sold_at DESC, id DESC");
const LEADS = `SELECT id, state, received_at FROM lead l WHERE id = ANY($3::uuid[])
  AND ($1 OR EXISTS (SELECT FROM sale s WHERE s.lead_id = l.id AND s.buyer_id = $2))`;

async function rows(caller, name, text, values) {
  return (await pool.query({ name, text, values: [caller.staff, caller.buyer, ...values] })).rows;
}

// A loader for each number of rows that is asked for.
const parts = (caller, name, text) => {
  const loaders = new Map();
  return (first) => {
    if (!loaders.has(first)) {
      loaders.set(first, new DataLoader(async (ids) => {
        const found = Map.groupBy
          ? Map.groupBy(await rows(caller, name, text, [ids, first]), (row) => row.buyer_id)
          : (await rows(caller, name, text, [ids, first])).reduce((all, row) => {
              const list = all.get(row.buyer_id);
              if (list) list.push(row);
              else all.set(row.buyer_id, [row]);
              return all;
            }, new Map());
        return ids.map((id) => found.get(id) ?? []);
      }));
    }
    return loaders.get(first);
  };
};

const resolvers = {
  Query: { buyers: (_, { first }, { caller }) => rows(caller, "buyers", BUYERS, [first]) },
  Buyer: {
    contracts: (buyer, { first }, { contracts }) => contracts(first).load(buyer.id),
    sales: (buyer, { first }, { sales }) => sales(first).load(buyer.id),
  },
  Sale: {
    priceMinor: (sale) => sale.price_minor,
    soldAt: (sale) => sale.sold_at.toISOString(),
    lead: (sale, _, { leads }) => leads.load(sale.lead_id),
  },
  Lead: { receivedAt: (lead) => lead.received_at.toISOString() },
};

await serve(async () => createYoga({
  schema: createSchema({ typeDefs, resolvers }),
  graphiql: false,
  landingPage: false,
  logging: false,
  maskedErrors: false,
  async context({ request }) {
    const caller = await who(pool, request.headers.get("authorization"));
    if (!caller) throw new Error("not signed in");
    return {
      caller,
      contracts: parts(caller, "contracts", CONTRACTS),
      sales: parts(caller, "sales", SALES),
      leads: new DataLoader(async (ids) => {
        const found = new Map((await rows(caller, "leads", LEADS, [ids])).map((lead) => [lead.id, lead]));
        return ids.map((id) => found.get(id) ?? null);
      }),
    };
  },
}));
