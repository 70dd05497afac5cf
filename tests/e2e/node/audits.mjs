// The audits of the package graphql-http: every MUST, SHOULD and MAY of the GraphQL over HTTP specification.
// argv: the endpoint. Prints {the audit's name: ok, or why not}.
import { serverAudits } from 'graphql-http';

const [url] = process.argv.slice(2);
const out = {};
for (const audit of serverAudits({ url, fetchFn: fetch })) {
  const { status, reason } = await audit.fn();
  out[`${audit.id} ${audit.name}`] = status === 'ok' ? 'ok' : `${status}: ${reason}`;
}
console.log(JSON.stringify(out));
