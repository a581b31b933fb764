// PostGraphile over leadyard's own tables, its callers held back by row security.
import pg from "pg";
import { postgraphile } from "postgraphile";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { makePgService } from "postgraphile/adaptors/pg";
import { grafserv } from "postgraphile/grafserv/node";
import { role } from "./setup.mjs";
import { who } from "./who.mjs";
import { serve } from "./workers.mjs";

// PostGraphile uses it; Node.js has it from version 22 on.
Promise.withResolvers ??= () => {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
};

const url = process.env.DATABASE_URL;
const pool = new pg.Pool({ connectionString: url, max: Number(process.env.CONNECTIONS ?? "10"), idleTimeoutMillis: 1_000 });
const reader = role(url);

await serve(async () => {
  const instance = postgraphile({
    extends: [PostGraphileAmberPreset],
    pgServices: [makePgService({ pool, schemas: ["public"] })],
    // Lists are ordered by columns without an index of their own, too.
    disablePlugins: ["PgIndexBehaviorsPlugin"],
    grafserv: { graphqlPath: "/graphql", graphiql: false, watch: false },
    grafast: {
      explain: false,
      async context(request) {
        const caller = await who(pool, request.node?.req.headers.authorization);
        if (!caller) throw new Error("not signed in");
        return {
          pgSettings: { role: reader, "p12.staff": caller.staff ? "yes" : "no", "p12.buyer": caller.buyer ?? "" },
        };
      },
    },
  });
  const server = instance.createServ(grafserv);
  await server.ready?.();
  return server.createHandler();
});
