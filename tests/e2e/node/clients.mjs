// Every client does the same three things at once with the others, each with a need of its own: reads it, watches it,
// verifies it once all watch, and is told. argv: the endpoint, a credential, {client: its need}. Prints what each saw.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { getMainDefinition } from '@apollo/client/utilities';
import { Client as Urql, fetchExchange, subscriptionExchange } from '@urql/core';
import { parse } from 'graphql';
import { GraphQLClient } from 'graphql-request';
import { createClient as createSse } from 'graphql-sse';
import { createClient as createWs } from 'graphql-ws';
import { randomUUID } from 'node:crypto';
import WebSocket from 'ws';

const [url, authorization, given] = process.argv.slice(2);
const needs = JSON.parse(given);
const headers = { authorization };
const READ = 'query Read($id: ID!) { need(id: $id) { id status } }';
const CHANGED = 'subscription Changed($id: ID!) { needChanged(id: $id) { topic need { id status } } }';
const VERIFY = `mutation Verify($id: ID!, $key: String!) {
  needVerify(id: $id, idempotencyKey: $key) { __typename ... on Need { id status } ... on Problem { code } }
}`;
const PATIENCE = 20_000;
// Whoever started this says on standard input when the server has all who watch.
const allWatch = new Promise((resolve) => process.stdin.once('data', resolve));

const sockets = () =>
  createWs({ url: url.replace('http', 'ws'), webSocketImpl: WebSocket, connectionParams: headers, retryAttempts: 0 });

// Whatever the client: ask(document, variables) -> data; watch(document, variables, told) -> how to stop.
const clients = {
  'graphql-ws': () => {
    const client = sockets();
    return {
      ask: async (query, variables) => {
        for await (const answer of client.iterate({ query, variables })) return whole(answer);
      },
      watch: (query, variables, told, failed) =>
        client.subscribe({ query, variables }, { next: (a) => told(whole(a)), error: failed, complete: () => {} }),
      close: () => client.dispose(),
    };
  },
  'graphql-sse': () => {
    const client = createSse({ url, headers, retryAttempts: 0 });
    return {
      ask: (query, variables) =>
        new Promise((resolve, reject) => {
          let data;
          client.subscribe(
            { query, variables },
            { next: (a) => (data = whole(a)), error: reject, complete: () => resolve(data) },
          );
        }),
      watch: (query, variables, told, failed) =>
        client.subscribe({ query, variables }, { next: (a) => told(whole(a)), error: failed, complete: () => {} }),
      close: () => client.dispose(),
    };
  },
  'Apollo Client': () => {
    const socket = sockets();
    const link = ApolloLink.split(
      ({ query }) => getMainDefinition(query).operation === 'subscription',
      new GraphQLWsLink(socket),
      new HttpLink({ uri: url, headers }),
    );
    const client = new ApolloClient({ link, cache: new InMemoryCache() });
    return {
      ask: async (text, variables) => {
        const document = parse(text);
        const kind = getMainDefinition(document).operation;
        const answer = await (kind === 'mutation'
          ? client.mutate({ mutation: document, variables })
          : client.query({ query: document, variables, fetchPolicy: 'no-cache' }));
        if (answer.error) throw answer.error;
        return answer.data;
      },
      watch: (text, variables, told, failed) => {
        const watched = client.subscribe({ query: parse(text), variables });
        const held = watched.subscribe({ next: (a) => (a.error ? failed(a.error) : told(a.data)), error: failed });
        return () => held.unsubscribe();
      },
      close: () => (client.stop(), socket.dispose()),
    };
  },
  'urql over fetch': () =>
    urql(new Urql({ url, exchanges: [fetchExchange], fetchSubscriptions: true, preferGetMethod: false, fetchOptions: { headers } })),
  'urql over a socket': () => {
    const socket = sockets();
    const forward = subscriptionExchange({
      forwardSubscription: (request) => ({
        subscribe: (sink) => ({ unsubscribe: socket.subscribe({ ...request, query: request.query }, sink) }),
      }),
    });
    const exchanges = [forward, fetchExchange];
    return { ...urql(new Urql({ url, exchanges, preferGetMethod: 'force', fetchOptions: { headers } })), close: () => socket.dispose() };
  },
  'graphql-request': () => {
    const client = new GraphQLClient(url, { headers });
    return { ask: (query, variables) => client.request(query, variables), close: () => {} };
  },
};

function urql(client) {
  const found = ({ data, error }) => {
    if (error) throw error;
    return data;
  };
  return {
    ask: async (text, variables) =>
      found(await (text.startsWith('mutation') ? client.mutation(text, variables) : client.query(text, variables)).toPromise()),
    watch: (text, variables, told, failed) => {
      const held = client.subscription(text, variables).subscribe((a) => (a.error ? failed(a.error) : told(a.data)));
      return () => held.unsubscribe();
    },
    close: () => {},
  };
}

function whole(answer) {
  if (answer.errors) throw new Error(JSON.stringify(answer.errors));
  return answer.data;
}

async function story(name) {
  const id = needs[name];
  const client = clients[name]();
  try {
    const before = (await client.ask(READ, { id })).need.status;
    let change = null;
    let stop = () => {};
    if (client.watch) {
      change = new Promise((resolve, reject) => {
        stop = client.watch(CHANGED, { id }, resolve, reject);
        setTimeout(() => reject(new Error('nothing was told')), PATIENCE).unref();
      });
      change.catch(() => {});
    }
    await allWatch;
    const done = (await client.ask(VERIFY, { id, key: `e2e-${randomUUID()}` })).needVerify;
    const told = change && (await change).needChanged;
    stop();
    return { before, after: done.status, told: told && [told.topic, told.need.id === id, told.need.status] };
  } finally {
    await client.close();
  }
}

const names = Object.keys(clients);
const ended = await Promise.allSettled(names.map(story));
const out = names.map((name, n) => [name, ended[n].value ?? { error: String(ended[n].reason?.stack ?? ended[n].reason) }]);
console.log(JSON.stringify(Object.fromEntries(out)));
process.exit(0);
