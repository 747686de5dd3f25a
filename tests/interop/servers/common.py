"""The common part of the servers: TLS, a gate that decides which tokens are good, a record of requests, and commands.

A server prints its port as a line of JSON. Then it reads commands from its standard input, and prints a line for each:

- `good TOKEN` and `bad TOKEN`: it accepts this token from now on, or does not.
- `any`: it accepts every token that is not bad.
- `seen`: prints the requests since the last `seen`.

A request is recorded as `METHOD PATH CREDENTIAL STATUS`. The credential contains a number instead of the token, so that
no token is ever recorded. The gate numbers the tokens in the order in which it first sees them.
"""
import base64
import json
import os
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Gate:
    """The good and the bad tokens, and the record of requests."""

    def __init__(self):
        self.lock = threading.Lock()
        self.known, self.bad, self.any, self.seen = [], set(), False, []

    def command(self, line):
        word, _, token = line.partition(" ")
        with self.lock:
            if word == "seen":
                seen, self.seen = self.seen, []
                return seen
            if word == "any":
                self.any = True
                return "ok"
            number = self._number(token)
            self.bad.discard(token)
            if word == "bad":
                self.bad.add(token)
            return number

    def _number(self, token):
        if token not in self.known:
            self.known.append(token)
        return self.known.index(token) + 1

    def judge(self, token):
        """Returns the token's number, which is 0 for an unknown token, and whether the token is good."""
        with self.lock:
            if self.any or token in self.known:
                return self._number(token), token not in self.bad
            return 0, False

    def record(self, text):
        with self.lock:
            self.seen.append(text)


GATE = Gate()


class Handler(BaseHTTPRequestHandler):
    """The handler of a request. A subclass's `do` returns the response to a request with a good credential."""

    protocol_version = "HTTP/1.1"
    # The schemes that the server accepts in Authorization, and names in its challenges.
    schemes = ("Bearer",)
    # Other headers that may contain the bare token.
    headers_with_token = ()
    # Paths that need no credential.
    open_paths = ()

    def challenges(self):
        return [f'{scheme} realm="interop"' for scheme in self.schemes]

    def credential(self):
        """Returns the text that is recorded for the request's credentials, and whether all of them are good."""
        found = []
        for name in self.headers_with_token:
            if name in self.headers:
                number, good = GATE.judge(self.headers[name])
                found.append((f"{name} {number}", good))
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if scheme:
            user = ""
            if scheme == "Basic":
                user, _, value = base64.b64decode(value).decode().partition(":")
                user += " "
            number, good = GATE.judge(value)
            found.append((f"{scheme} {user}{number}", good and scheme in self.schemes))
        return " and ".join(text for text, _ in found) or "-", bool(found) and all(good for _, good in found)

    def handle_one(self):
        length = int(self.headers.get("Content-Length") or 0)
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            self.body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                self.body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            self.body = self.rfile.read(length)
        credential, good = self.credential()
        path = self.path.partition("?")[0]
        if good or path in self.open_paths:
            status, headers, body = self.do(path)
        else:
            status, headers, body = self.refusal()
        GATE.record(f"{self.command} {path} {credential} {status}")
        self.answer(status, headers, body)

    def refusal(self):
        return 401, [("WWW-Authenticate", challenge) for challenge in self.challenges()], b"no\n"

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_PROPFIND = do_OPTIONS = handle_one

    def log_message(self, *_):
        pass


def as_json(value, status=200):
    return status, [("Content-Type", "application/json")], json.dumps(value).encode()


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(os.environ["CERT"], os.environ["KEY"])

    def get_request(self):
        stream, peer = super().get_request()
        # The thread of each connection does the handshake, at its first read.
        return self.context.wrap_socket(stream, server_side=True, do_handshake_on_connect=False), peer

    def handle_error(self, *_):
        # The client trusts another CA, or has closed the connection.
        pass


def serve(handler, kind=Server):
    """Serves, and executes the commands, until standard input ends."""
    server = kind(handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"port": server.server_port}), flush=True)
    for line in sys.stdin:
        print(json.dumps(GATE.command(line.rstrip("\n"))), flush=True)
