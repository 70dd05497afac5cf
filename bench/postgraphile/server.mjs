// PostGraphile 5 as its documentation serves it: the amber preset, a plain node server, one process.
// Production: no GraphiQL, no watching, no explain. DATABASE_URL, PORT and POOL come from the benchmark.
import { createServer } from "node:http";
import { postgraphile } from "postgraphile";
import { grafserv } from "postgraphile/grafserv/node";
import { makePgService } from "postgraphile/adaptors/pg";
import amber from "postgraphile/presets/amber";

const preset = {
  extends: [amber.default ?? amber],
  pgServices: [
    makePgService({
      connectionString: process.env.DATABASE_URL,
      schemas: ["public"],
      poolConfig: { max: Number(process.env.POOL) },
      pubsub: false,
    }),
  ],
  grafserv: { watch: false, graphiql: false, graphiqlOnGraphQLGET: false, websockets: false },
  grafast: { explain: false },
};

const pgl = postgraphile(preset);
if (process.env.PRINT_SCHEMA) {
  const { printSchema } = await import("postgraphile/graphql");
  process.stdout.write(printSchema(await pgl.getSchema()));
  process.exit(0);
}
const served = pgl.createServ(grafserv);
const server = createServer();
server.on("error", (problem) => {
  console.error(problem.message);
  process.exit(1);
});
await served.addTo(server);
await served.ready();
server.listen({ port: Number(process.env.PORT), host: "127.0.0.1" });
