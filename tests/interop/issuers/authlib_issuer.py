#!/usr/bin/env python3
"""An issuer that uses Authlib's authorization server, over plain HTTP on loopback.

It decodes percent-encoding in a Basic header, but not a plus (`urllib.parse.unquote`). By RFC 6749 section 2.3.1, a
plus stands for a space.

Takes LIFETIME (of its tokens, in seconds), CLIENT_ID and CLIENT_SECRET from the environment. When it listens, it prints
{"token_url": ...} as one line of JSON. Then it reads commands from its standard input: `outage`, `back` and `secret
NEW`. It prints an empty line after each. It ends when its input ends.
"""

import json
import os
import secrets
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

from authlib.oauth2 import AuthorizationServer  # noqa: E402
from authlib.oauth2.rfc6749 import ClientMixin, OAuth2Request  # noqa: E402
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant  # noqa: E402
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload  # noqa: E402
from authlib.oauth2.rfc6750 import BearerTokenGenerator  # noqa: E402


class Client(ClientMixin):
    def __init__(self, client_id: str, client_secret: str):
        self.client_id = client_id
        self.client_secret = client_secret

    def get_client_id(self):
        return self.client_id

    def get_allowed_scope(self, scope):
        return scope or ""

    def check_client_secret(self, client_secret):
        return secrets.compare_digest(self.client_secret, client_secret)

    def check_endpoint_auth_method(self, method, endpoint):
        return method == "client_secret_basic"

    def check_grant_type(self, grant_type):
        return grant_type == "client_credentials"


class Request(OAuth2Request):
    def __init__(self, path, headers, form):
        super().__init__("POST", path, headers=headers)
        self._form = form
        self.payload = BasicOAuth2Payload(form)

    @property
    def args(self):
        return {}

    @property
    def form(self):
        return self._form


class Server(AuthorizationServer):
    def __init__(self, client, lifetime):
        super().__init__()
        self.client = client
        self.register_token_generator(
            "default", BearerTokenGenerator(lambda *_, **__: secrets.token_urlsafe(24), expires_generator=lifetime)
        )
        self.register_grant(ClientCredentialsGrant)

    def query_client(self, client_id):
        return self.client if client_id == self.client.client_id else None

    def save_token(self, token, request):
        pass

    def send_signal(self, name, *args, **kwargs):
        pass

    def create_oauth2_request(self, request):
        return request

    def handle_response(self, status, body, headers):
        return status, json.dumps(body), headers


def main() -> int:
    client = Client(os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"])
    server = Server(client, int(os.environ["LIFETIME"]))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            if http is None:
                # The outage ends kept connections as well.
                self.close_connection = True
                return
            request = Request(self.path, self.headers, dict(parse_qsl(body.decode())))
            status, text, headers = server.create_token_response(request)
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    def listen(port: int):
        listening = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        listening.daemon_threads = True
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        return listening

    http = listen(0)
    port = http.server_address[1]
    print(json.dumps({"token_url": f"http://127.0.0.1:{port}/token"}), flush=True)
    for line in sys.stdin:
        match line.rstrip("\n").split(" ", 1):
            case ["outage"]:
                http.shutdown()
                http.server_close()
                http = None
            case ["back"]:
                http = listen(port)
            case ["secret", new]:
                client.client_secret = new
            case other:
                raise ValueError(f"unknown command {other[0]}")
        print(flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
