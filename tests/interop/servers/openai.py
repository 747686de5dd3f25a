"""A stand-in for OpenAI's servers, whose addresses are fixed in the clients: a proxy that answers for each of them.

It exchanges an identity token for one of its own (RFC 8693), and serves chat completions. A connection is recorded as
`CONNECT HOST`.
"""
import base64
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

import common

COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "stub",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "jeton"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def exchanged(asked):
    """Returns the server's own token for a good identity token. It is a JWT, because Codex reads its claims."""
    number, good = common.GATE.judge(asked.get("subject_token") or asked.get("assertion") or "")
    common.GATE.record(f"assertion {number}")
    if not good:
        return common.as_json({"error": "invalid_grant"}, 400)
    account, user = "123e4567-e89b-42d3-a456-426614174000", "user-1"
    names = {"chatgpt_account_id": account, "chatgpt_account_user_id": f"{user}__{account}", "user_id": user}
    claims = {"sub": user, "exp": 4_000_000_000, "number": number, "https://api.openai.com/auth": {**names, "chatgpt_user_id": user}}
    token = f"{part({'alg': 'none'})}.{part(claims)}.{part('signature')}"
    common.GATE.command(f"good {token}")
    answer = {"access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": "codex", **names}
    return common.as_json({**answer, "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"})


class Handler(common.Handler):
    open_paths = ("/oauth/token",)

    def do(self, path):
        if path == "/oauth/token":
            # The SDK sends JSON, and Codex a form.
            is_json = self.body.startswith(b"{")
            return exchanged(json.loads(self.body) if is_json else dict(parse_qsl(self.body.decode())))
        if path == "/v1/chat/completions":
            return common.as_json(COMPLETION)
        return 404, [], b""

    def refusal(self):
        return common.as_json({"error": {"message": "no", "code": "invalid_api_key"}}, 401)


class Proxy(BaseHTTPRequestHandler):
    def do_CONNECT(self):
        common.GATE.record(f"CONNECT {self.path}")
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        self.close_connection = True
        with self.server.context.wrap_socket(self.connection, server_side=True) as stream:
            Handler(stream, self.client_address, self.server)

    def log_message(self, *_):
        pass


class Server(common.Server):
    """A server without TLS, which begins only after CONNECT."""

    get_request = ThreadingHTTPServer.get_request


common.serve(Proxy, Server)
