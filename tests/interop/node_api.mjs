// Makes two requests with Node's own fetch: each with a token from the socket, and with a report of the one that got a
// 401.
import http from "node:http";

const [profile, url] = process.argv.slice(2);

// Like `curl --unix-socket`: returns the answer's body.
function ask(method, path, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ socketPath: process.env.JETON_SOCKET, method, path }, (answer) => {
      let text = "";
      answer.on("data", (part) => (text += part)).on("end", () => resolve(JSON.parse(text)));
    });
    request.on("error", reject).end(body);
  });
}

const statuses = [];
for (let times = 0; times < 2; times++) {
  const { access_token, generation } = await ask("GET", `/v1/profiles/${profile}/token?max_wait=30`);
  const answer = await fetch(url, { headers: { Authorization: `Bearer ${access_token}` } });
  await answer.arrayBuffer();
  statuses.push(answer.status);
  if (answer.status === 401) {
    await ask("POST", `/v1/profiles/${profile}/token/reject?max_wait=30`, JSON.stringify({ generation }));
  }
}
console.log(JSON.stringify(statuses));
