// Tries jetond with a real issuer: enrols credentials with `jetond add`, has the daemon serve their tokens, and asks the
// issuer what these tokens are. Needs node 20 or later, openssl, and `npm ci` in this folder.
//
//   JETOND     the program (default: target/debug/jetond of this repository)
//   TINYPROXY  the program of that name, for the test through a real forward proxy (skipped without it)

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const JETOND = process.env.JETOND ?? join(HERE, '../../../target/debug/jetond');
const { TINYPROXY } = process.env;
const root = mkdtempSync(join(tmpdir(), 'jeton-'));
const children = new Set();
const printed = [];
const secrets = [];

function start(program, args, options = {}) {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], ...options });
  children.add(child);
  child.text = '';
  const keep = (data) => { child.text += data; };
  child.stdout.setEncoding('utf8').on('data', keep);
  child.stderr.setEncoding('utf8').on('data', keep);
  child.ended = new Promise((ended, failed) => {
    child.on('error', failed).on('close', (code) => { children.delete(child); ended(code); });
  });
  return child;
}

/** An issuer that runs, and what it says of itself. */
async function issuer(settings = {}) {
  const out = mkdtempSync(join(root, 'issuer-'));
  const env = { PATH: process.env.PATH, OUT: out, ...settings };
  const child = start(process.execPath, [join(HERE, 'server.mjs')], { env });
  for await (const line of createInterface({ input: child.stdout })) {
    const told = JSON.parse(line);
    secrets.push(...Object.values(told.clients));
    return told;
  }
  throw new Error(`the issuer did not start: ${child.text}`);
}

/** A place with a configuration and a state folder of its own. */
function place() {
  const home = mkdtempSync(join(root, 'home-'));
  const at = (name) => join(home, name);
  for (const name of ['config', 'state', 'run', 'run/jeton']) {
    mkdirSync(at(name), { mode: 0o700 });
  }
  const env = { HOME: home, XDG_CONFIG_HOME: at('config'), XDG_STATE_HOME: at('state'), XDG_RUNTIME_DIR: at('run') };
  return { at, env, config: at('config/jeton/config.toml'), socket: at('run/jeton/jeton.sock') };
}

/** `jetond add`, with the exit code and what it printed. */
async function add(place, name, args, client) {
  const child = start(JETOND, ['add', name, '--provider', 'oauth2', '--client-id', client.id, '--client-secret-stdin', ...args], { env: place.env });
  child.stdin.end(`${client.secret}\n`);
  const code = await child.ended;
  printed.push(child.text);
  return { code, text: child.text };
}

async function enrol(...args) {
  const { code, text } = await add(...args);
  assert.equal(code, 0, text);
  return text;
}

/** Runs the daemon while `work` asks it for tokens. */
async function served(place, work) {
  const daemon = start(JETOND, ['run'], { env: { ...place.env, JETON_LOG: 'trace' } });
  const ask = (path) => new Promise((answered, failed) => {
    const request = httpRequest({ socketPath: place.socket, path, headers: { host: 'localhost' } }, (response) => {
      let body = '';
      response.on('data', (data) => { body += data; }).on('end', () => answered(JSON.parse(body)));
    });
    request.on('error', failed).end();
  });
  try {
    for (let tries = 0; !existsSync(place.socket); tries += 1) {
      assert.ok(tries < 500 && daemon.exitCode === null, daemon.text);
      await pause(20);
    }
    return await work((profile) => ask(`/v1/profiles/${profile}/token?max_wait=10`));
  } finally {
    daemon.kill('SIGTERM');
    await daemon.ended;
    printed.push(daemon.text);
  }
}

/** What the issuer says of a token. */
function introspect(told, token) {
  const { id, secret } = told.clients.basic;
  const encode = (text) => new URLSearchParams([['', text]]).toString().slice(1);
  const pair = Buffer.from(`${encode(id)}:${encode(secret)}`).toString('base64');
  return new Promise((answered, failed) => {
    httpsRequest(`${told.issuer}/token/introspection`, {
      method: 'POST',
      ca: readFileSync(told.ca),
      headers: { authorization: `Basic ${pair}`, 'content-type': 'application/x-www-form-urlencoded' },
    }, (response) => {
      let body = '';
      response.on('data', (data) => { body += data; }).on('end', () => answered(JSON.parse(body)));
    }).on('error', failed).end(new URLSearchParams({ token }).toString());
  });
}

const claims = (jwt) => JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url').toString());

const stories = {
  async 'tokens by header and by body, opaque and signed, for scopes and resources'() {
    const told = await issuer();
    const { basic, post } = told.clients;
    const here = place();
    const to = ['--issuer', told.issuer, '--ca-file', told.ca];
    await enrol(here, 'plain', [...to, '--scope', 'api.read'], basic);
    await enrol(here, 'posted', [...to, '--client-auth', 'post', '--scope', 'api.read', '--scope', 'api.write'], post);
    await enrol(here, 'signed', [...to, '--scope', 'api.write', '--resource', 'https://jwt.example/api'], basic);
    await enrol(here, 'resource', [...to, '--resource', 'urn:opaque:api'], basic);
    await enrol(here, 'set', ['--token-url', `${told.issuer}/token`, '--ca-file', told.ca], basic);
    const configured = readFileSync(here.config, 'utf8');
    assert.match(configured, /^scope = \["api.read", "api.write"\]$/m);
    await served(here, async (token) => {
      const plain = await token('plain');
      assert.equal(plain.token_type, 'Bearer');
      assert.ok(!plain.access_token.includes('.') && plain.expires_in > 500, JSON.stringify(plain.expires_in));
      const known = await introspect(told, plain.access_token);
      assert.equal(known.active, true);
      assert.deepEqual([known.client_id, known.scope], [basic.id, 'api.read']);
      const posted = await introspect(told, (await token('posted')).access_token);
      assert.deepEqual([posted.client_id, posted.scope], [post.id, 'api.read api.write']);
      const signed = await token('signed');
      const { aud, scope, client_id: id, exp, iat } = claims(signed.access_token);
      assert.deepEqual([aud, scope, id, exp - iat], ['https://jwt.example/api', 'api.write', basic.id, 120]);
      assert.ok(signed.expires_in <= 120);
      const resource = await introspect(told, (await token('resource')).access_token);
      assert.deepEqual([resource.active, resource.aud], [true, 'urn:opaque:api']);
      assert.equal((await introspect(told, (await token('set')).access_token)).active, true);
    });
  },

  async 'an issuer with a path, found where OpenID puts its document'() {
    const told = await issuer({ ISSUER_PATH: '/realms/x' });
    const here = place();
    await enrol(here, 'a', ['--issuer', told.issuer, '--ca-file', told.ca], told.clients.basic);
    await served(here, async (token) => {
      assert.equal((await introspect(told, (await token('a')).access_token)).active, true);
    });
    const { code, text } = await add(here, 'b', ['--issuer', `${told.issuer}/`, '--ca-file', told.ca], told.clients.basic);
    assert.equal(code, 75, text);
    assert.match(text, /names another issuer: the two differ in the final slash/);
  },

  async 'what the issuer refuses is told and nothing is written'() {
    const told = await issuer();
    const { basic, post } = told.clients;
    const here = place();
    const to = ['--issuer', told.issuer, '--ca-file', told.ca];
    for (const [args, client, why] of [
      [to, { ...basic, secret: `${basic.secret}x` }, /rejected the request for a token \(401\): "invalid_client/],
      [to, { ...basic, id: 'nobody' }, /"invalid_client/],
      [to, post, /"invalid_client/],
      [[...to, '--client-auth', 'post'], basic, /"invalid_client/],
      [[...to, '--scope', 'admin'], basic, /"invalid_scope/],
      [['--token-url', `${told.issuer}/nothing`, '--ca-file', told.ca], basic, /no token endpoint/],
      [['--issuer', told.issuer], basic, /not trusted|no root certificates/],
    ]) {
      const { code, text } = await add(here, 'a', args, client);
      assert.ok([1, 75].includes(code), `${why} ${text}`);
      assert.match(text, why);
    }
    assert.ok(!existsSync(here.config));
  },

  async 'a client certificate that the issuer asks for'() {
    const told = await issuer({ MUTUAL_TLS: '1' });
    const here = place();
    const { code, text } = await add(here, 'a', ['--issuer', told.issuer, '--ca-file', told.ca], told.clients.basic);
    assert.equal(code, 75, text);
    assert.match(text, /client certificate|broke before/);
    // There is no argument for it: the profile is written by hand, and its credential added.
    mkdirSync(join(here.config, '..'), { recursive: true });
    writeFileSync(here.config, `[profiles.a]\nprovider = "oauth2"\nissuer = "${told.issuer}"\nca-file = "${told.ca}"\n`
      + `client-certificate = { cert = "${told.client.cert}", key = "${told.client.key}" }\n`, { mode: 0o600 });
    const { id, secret } = told.clients.basic;
    const rebind = start(JETOND, ['add', 'a', '--rebind', '--client-id', id, '--client-secret-stdin'], { env: here.env });
    rebind.stdin.end(`${secret}\n`);
    assert.equal(await rebind.ended, 0, rebind.text);
    await served(here, async (token) => assert.equal((await token('a')).token_type, 'Bearer'));
  },

  async 'a forward proxy that is asked for a tunnel and nothing else'() {
    if (!TINYPROXY) return 'skipped: TINYPROXY is not set';
    // A loopback literal gets no proxy; a name does.
    const told = await issuer({ HOST: 'localhost' });
    const folder = mkdtempSync(join(root, 'proxy-'));
    const log = join(folder, 'log');
    const port = await freePort();
    const conf = join(folder, 'conf');
    writeFileSync(conf, `Port ${port}\nListen 127.0.0.1\nLogFile "${log}"\nLogLevel Info\nTimeout 20\nAllow 127.0.0.1\nConnectPort ${new URL(told.issuer).port}\n`);
    const proxy = start(TINYPROXY, ['-d', '-c', conf]);
    await listening(port, proxy);
    const here = place();
    const to = ['--issuer', told.issuer, '--ca-file', told.ca, '--proxy', `http://127.0.0.1:${port}`];
    await enrol(here, 'a', to, told.clients.basic);
    await served(here, async (token) => {
      assert.equal((await introspect(told, (await token('a')).access_token)).active, true);
    });
    const said = readFileSync(log, 'utf8');
    const asked = said.match(/Request \(file descriptor \d+\): .*/g);
    assert.ok(asked.length >= 4 && asked.every((line) => line.includes(`CONNECT localhost:${new URL(told.issuer).port} `)), said);
    printed.push(said, proxy.text);
    proxy.kill();
    await proxy.ended;
    const { code, text } = await add(here, 'b', to, told.clients.basic);
    assert.equal(code, 75, text);
    assert.match(text, /through the proxy http:\/\/127\.0\.0\.1/);
  },
};

/** For a program that cannot choose one itself. */
async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

async function listening(port, child) {
  for (let tries = 0; ; tries += 1) {
    const open = await new Promise((done) => {
      const socket = createConnection(port, '127.0.0.1', () => { socket.destroy(); done(true); });
      socket.on('error', () => done(false));
    });
    if (open) return;
    assert.ok(tries < 500 && child.exitCode === null, child.text);
    await pause(20);
  }
}

/** Every secret in each form in which it is sent or kept: in nothing that was printed, and on the disk in records alone. */
function searchForSecrets() {
  const encode = (text) => new URLSearchParams([['', text]]).toString().slice(1);
  // Without the end, which depends on what follows.
  const base64 = (text) => Buffer.from(text).toString('base64').slice(0, -4);
  const forms = secrets.flatMap(({ id, secret }) => [
    secret,
    encode(secret),
    base64(secret),
    base64(encode(secret)),
    base64(`${encode(id)}:${encode(secret)}`),
  ]);
  const holds = (text) => forms.some((form) => text.includes(form));
  assert.ok(!printed.some(holds), 'a secret was printed');
  for (const name of readdirSync(root, { recursive: true })) {
    const path = join(root, name);
    if (!statSync(path).isFile() || path.includes('/state/jeton/credentials/')) continue;
    assert.ok(!holds(readFileSync(path, 'latin1')), `a secret is in ${path}`);
  }
}

chmodSync(root, 0o700);
try {
  for (const [name, story] of Object.entries(stories)) {
    console.log(`${(await story()) ?? 'ok'}: ${name}`);
  }
  searchForSecrets();
  console.log('ok: no secret came out');
} finally {
  for (const child of children) child.kill();
  rmSync(root, { recursive: true, force: true });
}
