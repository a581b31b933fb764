// What PostGraphile's callers may see, as PostgreSQL's own row security: staff everything, buyers what is theirs.
// `node setup.mjs up|down`, with DATABASE_URL of the bench's own database.
import pg from "pg";

export const role = (url) => `${new URL(url).pathname.slice(1)}_reader`;

const TABLES = { buyer: "id", contract: "buyer_id", sale: "buyer_id", lead: null };
const STAFF = "current_setting('p12.staff', true) = 'yes'";
const BUYER = "nullif(current_setting('p12.buyer', true), '')::uuid";

if (process.argv[2]) {
  const url = process.env.DATABASE_URL;
  const client = new pg.Client(url);
  await client.connect();
  const reader = client.escapeIdentifier(role(url));
  if (process.argv[2] === "up") {
    await client.query(`CREATE ROLE ${reader} NOLOGIN`);
    await client.query(`GRANT USAGE ON SCHEMA public TO ${reader}`);
    for (const [table, column] of Object.entries(TABLES)) {
      const own = column
        ? `${column} = ${BUYER}`
        : `EXISTS (SELECT FROM sale s WHERE s.lead_id = lead.id AND s.buyer_id = ${BUYER})`;
      await client.query(`GRANT SELECT ON ${table} TO ${reader}`);
      await client.query(`ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY`);
      await client.query(`CREATE POLICY p12 ON ${table} FOR SELECT TO ${reader} USING (${STAFF} OR ${own})`);
    }
    await client.query("ANALYZE");
  } else {
    await client.query(`DROP OWNED BY ${reader}`);
    await client.query(`DROP ROLE ${reader}`);
  }
  await client.end();
}
