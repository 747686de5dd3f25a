"""An HTTPS service that requires bearer tokens, and a second origin that must never receive one."""

import json
import os
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Service:
    """The service at `url`, over TLS, which accepts every token that was not revoked.

    It redirects to `elsewhere`, an origin with another scheme and port, and to `beside`, one with only another host.
    """

    def __init__(self, url, elsewhere, beside):
        self.url = url
        self.elsewhere = elsewhere
        self.beside = beside
        self.revoked = set()
        self.refuses_all = False
        # The number of requests to the path that creates something.
        self.made = 0
        # The token, status and body of each request, and the headers that the other origin received.
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
            if self.server is other or self.headers["Host"] in shop.beside:
                shop.seen_elsewhere.append(self.headers.get("Authorization"))
                return self.answer(401)
            if self.path.startswith("/away"):
                return self.answer(307, Location=f"{shop.elsewhere}/")
            if self.path.startswith("/beside"):
                return self.answer(307, Location=f"{shop.beside}/here")
            if self.path.startswith("/around"):
                return self.answer(307, Location="/here")
            scheme, _, token = self.headers.get("Authorization", "").partition(" ")
            good = scheme == "Bearer" and token and token not in shop.revoked and not shop.refuses_all
            location = {"/gate": "/here", "/make": "/here"}.get(self.path) if good else None
            status = (303 if location else 200) if good else 401
            shop.answered.append((token, status, body))
            if location:
                if self.path == "/make":
                    # Revokes the token of this request, so that the redirected request gets a 401.
                    shop.made += 1
                    shop.revoked.add(token)
                return self.answer(status, Location=location)
            self.answer(200, json.dumps({"length": len(body)}).encode()) if good else self.answer(401)

        do_POST = do_PUT = do_GET

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):
            """Ignores the error: a client may close its connection at any time."""

    servers = [Server(("127.0.0.1", 0), Handler) for _ in range(2)]
    main, other = servers
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["CERT"], os.environ["KEY"])
    # The thread of each connection does the handshake, at its first read.
    main.socket = context.wrap_socket(main.socket, server_side=True, do_handshake_on_connect=False)
    port = main.server_port
    shop = Service(f"https://127.0.0.1:{port}", f"http://127.0.0.1:{other.server_port}", f"https://localhost:{port}")
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield shop
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
