// What clients of server-sent events make of a server: `clients.mjs PROBE_URL GRAPHQL_URL METRO_ID LAST`, the token in NIMROD_TOKEN.
// Prints a line of JSON for everything that came.
import { createClient } from 'graphql-sse';
import { EventSource } from 'eventsource';

const [probeUrl, graphqlUrl, metroId, last] = process.argv.slice(2);
const authorization = `Bearer ${process.env.NIMROD_TOKEN}`;
const say = (name, value) => console.log(JSON.stringify({ name, value }));

const client = createClient({ url: probeUrl, retryAttempts: 0 });
const all = async (query) => {
  const found = [];
  for await (const result of client.iterate({ query })) found.push(result);
  return found;
};
say('query', await all('{ hello }'));
say('subscription', await all('subscription { count(to: 3) }'));
say('error', (await all('{ nothing }'))[0].errors[0].extensions.code);
const endless = client.iterate({ query: 'subscription { ticks }' });
await endless.next();
await endless.return();
say('left', null);

// As a browser does: GET, and after a lost connection again with Last-Event-ID.
const url = new URL(graphqlUrl);
url.searchParams.set('query', 'subscription($id: ID!) { opsDispatchUpdates(metroId: $id) { ... on VehicleChanged { n: odometerMeters } } }');
url.searchParams.set('variables', JSON.stringify({ id: metroId }));
const source = new EventSource(url, {
  fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, authorization } }),
});
source.addEventListener('open', () => say('open', null));
source.addEventListener('error', (event) => say('lost', event.code ?? null));
source.addEventListener('next', (event) => {
  const { n } = JSON.parse(event.data).data.opsDispatchUpdates;
  say('event', n);
  if (n === Number(last)) source.close();
});
