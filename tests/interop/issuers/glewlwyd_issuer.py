#!/usr/bin/env python3
"""glewlwyd as an issuer, over plain HTTP on loopback, with a new database and one client.

It does not decode the client ID and the secret in a Basic header. An unknown client gets an empty 403.

Takes GLEWLWYD (the program), OUT (an empty folder for its files), LIFETIME (of its tokens, in seconds), CLIENT_ID and
CLIENT_SECRET from the environment. Needs the schema and the modules of Debian's package. When glewlwyd listens, it
prints {"token_url": ...} as one line of JSON. Then it reads commands from its standard input: `outage`, `back` and
`secret NEW`. It prints an empty line after each. When its input ends, it stops glewlwyd and ends.
"""

import json
import os
import secrets
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from http.cookiejar import CookieJar
from urllib.parse import quote

OUT = os.environ["OUT"]
CLIENT_ID = os.environ["CLIENT_ID"]
SCHEMA = "/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3"
MODULES = "/usr/lib/glewlwyd"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def configuration(port: int) -> str:
    return f"""
port={port}
bind_address="127.0.0.1"
external_url="http://127.0.0.1:{port}"
login_url="login.html"
api_prefix="api"
static_files_path="{OUT}"
log_mode="file"
log_level="ERROR"
log_file="{OUT}/log"
cookie_domain="127.0.0.1"
cookie_secure=0
cookie_same_site="empty"
session_expiration=3600
session_key="GLEWLWYD2_SESSION_ID"
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="{MODULES}/user"
client_module_path="{MODULES}/client"
user_auth_scheme_module_path="{MODULES}/scheme"
plugin_module_path="{MODULES}/plugin"
use_secure_connection=false
secure_connection_key_file="{OUT}/key"
secure_connection_pem_file="{OUT}/pem"
secure_connection_ca_file="{OUT}/ca"
hash_algorithm="SHA256"
database = {{ type = "sqlite3" path = "{OUT}/db" }};
"""


class Glewlwyd:
    def __init__(self):
        with sqlite3.connect(f"{OUT}/db") as database, open(SCHEMA, encoding="utf-8") as schema:
            database.executescript(schema.read())
        self.port = free_port()
        with open(f"{OUT}/conf", "w", encoding="utf-8") as file:
            file.write(configuration(self.port))
        self.process = None
        self.http = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def start(self):
        self.process = subprocess.Popen([os.environ["GLEWLWYD"], f"--config-file={OUT}/conf"], stdin=subprocess.DEVNULL, stdout=sys.stderr)
        while True:
            if self.process.poll() is not None:
                raise RuntimeError("glewlwyd ended")
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except ConnectionRefusedError:
                time.sleep(0.02)

    def stop(self):
        self.process.kill()
        self.process.wait()

    def call(self, method: str, path: str, body: dict):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/{path}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        try:
            self.http.open(request).close()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read()!r}") from error

    def log_in(self):
        # The package's own schema contains this user.
        self.call("POST", "auth", {"username": "admin", "password": "password"})

    def set_up(self):
        self.log_in()
        self.call("POST", "scope", {"name": "api", "display_name": "api", "password_required": False})
        durations = {
            "access-token-duration": int(os.environ["LIFETIME"]),
            "refresh-token-duration": 3600,
            "code-duration": 60,
        }
        grants = ["code", "implicit", "token", "password", "refresh", "device"]
        parameters = {
            "jwt-type": "sha",
            "jwt-key-size": "256",
            "key": secrets.token_hex(32),
            **durations,
            "refresh-token-rolling": False,
            **{f"auth-type-{grant}-enabled": False for grant in grants},
            "auth-type-client-enabled": True,
        }
        self.call(
            "POST",
            "mod/plugin/",
            {"module": "oauth2-glewlwyd", "name": "oauth2", "display_name": "oauth2", "parameters": parameters},
        )
        self.call("POST", "client?source=database", {"client_id": CLIENT_ID, **self.client(os.environ["CLIENT_SECRET"])})

    def client(self, secret: str) -> dict:
        return {
            "name": "ours",
            "confidential": True,
            "enabled": True,
            "password": secret,
            "scope": ["api"],
            "authorization_type": ["client_credentials"],
        }

    def change_secret(self, secret: str):
        self.log_in()
        self.call("PUT", f"client/{quote(CLIENT_ID, safe='')}?source=database", self.client(secret))


def main() -> int:
    glewlwyd = Glewlwyd()
    glewlwyd.start()
    try:
        glewlwyd.set_up()
        print(json.dumps({"token_url": f"http://127.0.0.1:{glewlwyd.port}/api/oauth2/token"}), flush=True)
        for line in sys.stdin:
            match line.rstrip("\n").split(" ", 1):
                case ["outage"]:
                    glewlwyd.stop()
                case ["back"]:
                    glewlwyd.start()
                case ["secret", new]:
                    glewlwyd.change_secret(new)
                case other:
                    raise ValueError(f"unknown command {other[0]}")
            print(flush=True)
    finally:
        glewlwyd.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
