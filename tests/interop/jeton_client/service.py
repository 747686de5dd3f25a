"""A service that wants bearer tokens, and another one that must never see one."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Service:
    """Serves at `url`; takes every token that was not revoked. `elsewhere` is another origin, where redirects lead."""

    def __init__(self, url, elsewhere):
        self.url = url
        self.elsewhere = elsewhere
        self.revoked = set()
        self.refuses_all = False
        # Token, status and body of each request; and the headers that the other origin saw.
        self.answered = []
        self.seen_elsewhere = []

    def revoke(self, token):
        self.revoked.add(token.access_token)


@contextmanager
def service():
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def body(self):
            if self.headers.get("Transfer-Encoding", "") == "chunked":
                whole = b""
                while size := int(self.rfile.readline(), 16):
                    whole += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return whole
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def answer(self, status, body=b"{}", **headers):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            body = self.body()
            if self.server is other:
                shop.seen_elsewhere.append(self.headers.get("Authorization"))
                return self.answer(401)
            if self.path.startswith("/away"):
                return self.answer(307, Location=f"{shop.elsewhere}/")
            if self.path.startswith("/around"):
                return self.answer(307, Location="/here")
            scheme, _, token = self.headers.get("Authorization", "").partition(" ")
            good = scheme == "Bearer" and token and token not in shop.revoked and not shop.refuses_all
            shop.answered.append((token, 200 if good else 401, body))
            self.answer(200, json.dumps({"length": len(body)}).encode()) if good else self.answer(401)

        do_POST = do_PUT = do_GET

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):
            """A client may leave without a word."""

    servers = [Server(("127.0.0.1", 0), Handler) for _ in range(2)]
    main, other = servers
    shop = Service(*(f"http://127.0.0.1:{server.server_port}" for server in servers))
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield shop
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
