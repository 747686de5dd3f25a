// A real issuer for jetond: the npm package oidc-provider over TLS with a private CA.
//
// Once it listens, it prints one line of JSON: {issuer, ca, client: {cert, key}, clients: {NAME: {id, secret}}}. Then
// it serves until its standard input ends or it gets SIGTERM. It obeys commands on its standard input and answers each
// with an empty line: `outage`, `back`, `secret NEW` (of the client `basic`).
//
//   OUT          the folder for the certificates (required)
//   HOST         the host in the issuer's name: 127.0.0.1 (the default) or localhost
//   PORT         0 (the default) for any free one
//   ISSUER_PATH  such as /realms/x: then the discovery document is only at the path of OpenID
//   MUTUAL_TLS   1 to accept only clients with a certificate of the CA
//   LIFETIME     the lifetime of its opaque tokens in seconds, 600 by default

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { createInterface } from 'node:readline';

import Provider from 'oidc-provider';

import { makeCertificates } from './tls.mjs';

const { OUT, HOST = '127.0.0.1', PORT = '0', ISSUER_PATH = '', MUTUAL_TLS, LIFETIME = '600' } = process.env;
if (!OUT) throw new Error('OUT must name a folder');

const at = makeCertificates(OUT);
const mutual = MUTUAL_TLS === '1';
const server = createServer({
  key: readFileSync(at('server.key')),
  cert: readFileSync(at('server.pem')),
  ca: readFileSync(at('ca.pem')),
  requestCert: mutual,
  rejectUnauthorized: mutual,
});
await new Promise((listening) => server.listen(Number(PORT), '127.0.0.1', listening));
const { port } = server.address();
const issuer = `https://${HOST}:${port}${ISSUER_PATH}`;

// With every kind of character that a form or a header must encode.
const secret = () => `${randomBytes(16).toString('hex')}:&=+% "\\/'~`;
const clients = {
  basic: { id: 'basic:client', secret: secret() },
  post: { id: 'post client', secret: secret() },
};
const client = ({ id, secret }, method) => ({
  client_id: id,
  client_secret: secret,
  token_endpoint_auth_method: method,
  grant_types: ['client_credentials'],
  response_types: [],
  redirect_uris: [],
  scope: 'api.read api.write',
});

const makeProvider = () => new Provider(issuer, {
  clients: [client(clients.basic, 'client_secret_basic'), client(clients.post, 'client_secret_post')],
  scopes: ['api.read', 'api.write', 'admin'],
  ttl: { ClientCredentials: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? Number(LIFETIME) },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_ctx, resource) => ({
        scope: 'api.read api.write',
        audience: resource,
        accessTokenTTL: 120,
        accessTokenFormat: resource.includes('jwt') ? 'jwt' : 'opaque',
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
});
// The package accepts a secret in either way, whatever the client is registered for. Other issuers do not.
const onlyTheRegisteredWay = async (ctx, next) => {
  await next();
  if (ctx.oidc?.route === 'token' && ctx.oidc.client) {
    const used = ctx.get('authorization') ? 'client_secret_basic' : 'client_secret_post';
    if (used !== ctx.oidc.client.tokenEndpointAuthMethod) {
      ctx.status = 401;
      ctx.body = { error: 'invalid_client', error_description: 'not the registered way' };
    }
  }
};
const start = () => makeProvider().use(onlyTheRegisteredWay).callback();
let callback = start();
server.on('request', (req, res) => {
  if (ISSUER_PATH) {
    if (!req.url.startsWith(`${ISSUER_PATH}/`)) {
      res.writeHead(404).end();
      return;
    }
    // As a framework does that mounts an application below a path.
    req.originalUrl = req.url;
    req.url = req.url.slice(ISSUER_PATH.length);
  }
  callback(req, res);
});

console.log(JSON.stringify({
  issuer,
  ca: at('ca.pem'),
  client: { cert: at('client.pem'), key: at('client.key') },
  clients,
}));

const commands = {
  outage: async () => {
    const closed = new Promise((done) => server.close(done));
    server.closeAllConnections();
    await closed;
  },
  back: () => new Promise((listening) => server.listen(port, '127.0.0.1', listening)),
  // The provider reads its clients only once, so a new provider replaces it.
  secret: async (text) => {
    clients.basic.secret = text;
    callback = start();
  },
};
for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...rest] = line.split(' ');
  await commands[name](rest.join(' '));
  console.log();
}
process.exit();
