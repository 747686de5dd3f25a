// The npm package @node-oauth/oauth2-server as an issuer, on plain HTTP and loopback.
//
// It compares the client ID and secret of a Basic header without decoding. An unknown client gets 401 with
// invalid_client.
//
// Takes LIFETIME (of its tokens, in seconds), CLIENT_ID and CLIENT_SECRET from the environment. Once it listens, it
// prints one line of JSON, {"token_url": ...}. Then it obeys commands on its standard input and answers each with an
// empty line: `outage`, `back`, `secret NEW`. It ends with its input.

import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import OAuth2Server from '@node-oauth/oauth2-server';

const { LIFETIME, CLIENT_ID, CLIENT_SECRET } = process.env;
const client = { id: CLIENT_ID, grants: ['client_credentials'], accessTokenLifetime: Number(LIFETIME) };
let secret = CLIENT_SECRET;

const oauth = new OAuth2Server({
  model: {
    getClient: (id, given) => (id === client.id && given === secret ? client : false),
    getUserFromClient: () => ({}),
    saveToken: (token, ofClient, user) => ({ ...token, client: ofClient, user }),
  },
});

const server = createServer(async (incoming, outgoing) => {
  let text = '';
  for await (const piece of incoming) text += piece;
  const request = new OAuth2Server.Request({
    method: incoming.method,
    headers: incoming.headers,
    query: {},
    body: Object.fromEntries(new URLSearchParams(text)),
  });
  const response = new OAuth2Server.Response({ headers: {} });
  // An error is in the response as well.
  await oauth.token(request, response).catch(() => {});
  outgoing.writeHead(response.status, { 'content-type': 'application/json', ...response.headers });
  outgoing.end(JSON.stringify(response.body));
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const { port } = server.address();
console.log(JSON.stringify({ token_url: `http://127.0.0.1:${port}/token` }));

const commands = {
  outage: async () => {
    const closed = new Promise((done) => server.close(done));
    server.closeAllConnections();
    await closed;
  },
  back: () => new Promise((listening) => server.listen(port, '127.0.0.1', listening)),
  secret: (text) => {
    secret = text;
  },
};
for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...rest] = line.split(' ');
  await commands[name](rest.join(' '));
  console.log();
}
process.exit();
