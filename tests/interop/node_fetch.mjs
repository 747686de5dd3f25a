// Uses Node's unmodified `fetch` at the daemon's Unix socket, whose path is in JETON_SOCKET. Prints one line of JSON:
// for each address the status and the length of the token.

// The first use of `fetch` loads Node's built-in undici, which stores its agent there. The class is the `Agent` of the
// npm package undici.
await fetch("data:,");
const { constructor: Agent } = globalThis[Symbol.for("undici.globalDispatcher.1")];
const dispatcher = new Agent({ connect: { socketPath: process.env.JETON_SOCKET } });

const token = (host) => [`http://${host}/v1/profiles/research/token`, {}];
const requests = [
  token("localhost"),
  token("LOCALHOST:8080"),
  token("[::1]"),
  token("jeton"),
  [
    "http://unix/oauth2/token",
    {
      method: "POST",
      body: new URLSearchParams({ grant_type: "client_credentials", client_id: "research" }),
    },
  ],
  token("evil.example"),
];

const saw = [];
for (const [address, how] of requests) {
  const answer = await fetch(address, { ...how, dispatcher });
  const { access_token: held = "" } = await answer.json();
  saw.push([address, answer.status, held.length]);
}
console.log(JSON.stringify(saw));
await dispatcher.close();
