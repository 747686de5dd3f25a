#!/usr/bin/env python3
"""Checks a running daemon against the API document that it serves, with schemathesis 4.32.5.

Needs `pip install schemathesis==4.32.5`, and JETON_SOCKET and JETON_ADMIN_SOCKET in the environment. The profile
`research` has a token, `bare` has none. schemathesis cannot connect to a Unix socket, so each socket gets a loopback
port for the run. The output and the exit code are those of schemathesis.

What is left out, and why:
- `positive_data_acceptance` at `/oauth2/token` and `/v1/helper`: a well-formed scope may not be the profile's, and a
  schema cannot describe a frame.
- `positive_data_acceptance` at `/v1/unlock`: an identity ends with a checksum, and must match the recipient.
- Numbers that Python writes with an exponent. JSON Schema cannot forbid them; the document does so in its text.
- Watches and rotations, whose responses have no end or may last for days. The suite reads their events and steps.
- Long waits: each request for the profile without a token would take that long.
- The statuses 501, 502, 503 and 504 are in the document, so they do not count as failures of the server; 500 does.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading

CONFIG = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "4xx", 501, 502, 503, 504]
[[operations]]
include-path = "/oauth2/token"
checks.positive_data_acceptance.enabled = false
[[operations]]
include-path = "/v1/helper"
checks.positive_data_acceptance.enabled = false
[[operations]]
include-path = "/v1/unlock"
checks.positive_data_acceptance.enabled = false
"""


def connect(path: str) -> socket.socket:
    stream = socket.socket(socket.AF_UNIX)
    stream.connect(path)
    return stream


def document(path: str) -> dict:
    """Returns the daemon's API document, with all other members of its objects forbidden.

    The document itself allows them, because a later daemon may add some. This daemon must have exactly these.
    """
    asked = http.client.HTTPConnection("localhost")
    asked.sock = connect(path)
    asked.request("GET", "/v1/openapi.json")
    served = json.load(asked.getresponse())
    for name, schema in served["components"]["schemas"].items():
        if schema.get("type") == "object" and name != "OAuthRequest":
            schema["additionalProperties"] = False
    return served


def carry(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:  # one side has closed its connection, so both are closed
        for end in (source, sink):
            end.close()


def bridge(path: str) -> str:
    """Forwards a loopback port to the socket at `path`, and returns the port's address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            near, _ = listener.accept()
            far = connect(path)
            for ends in ((near, far), (far, near)):
                threading.Thread(target=carry, args=ends, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def run(folder: str, served: dict, path: str) -> int:
    name = os.path.basename(path)
    chosen = dict(served, paths={
        p: item for p, item in served["paths"].items() if name in item["x-sockets"] and not p.endswith(("/watch", "/rotate"))
    })
    with open(f"{folder}/{name}.json", "w", encoding="utf-8") as file:
        json.dump(chosen, file)
    command = [
        f"{os.path.dirname(sys.executable)}/schemathesis", "--config-file", f"{folder}/config.toml", "run",
        f"{folder}/{name}.json", "--url", bridge(path), "--header", "Host: localhost",
        "--phases", "examples,coverage,fuzzing", "--max-examples", "20",
        "--generation-deterministic", "--mode", "all",
        "--continue-on-failure", "--no-color",
    ]
    here = os.path.dirname(os.path.abspath(__file__))
    env = dict(os.environ, SCHEMATHESIS_HOOKS="contract", PYTHONPATH=here, PYTHONDONTWRITEBYTECODE="1")
    return subprocess.run(command, env=env, check=False).returncode


def main() -> int:
    tokens, admin = os.environ["JETON_SOCKET"], os.environ["JETON_ADMIN_SOCKET"]
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/config.toml", "w", encoding="utf-8") as file:
            file.write(CONFIG)
        served = document(tokens)
        return run(folder, served, tokens) or run(folder, served, admin)


if __name__ == "__main__":
    sys.exit(main())

# The rest of this file has hooks for schemathesis.

import schemathesis
from hypothesis import strategies
from schemathesis.transport.serialization import Binary


def frame(*words: str) -> bytes:
    """Returns the frame of a companion's run with these arguments; tests/wire/README.md describes the format."""
    fields = (b"\x01" + len(word).to_bytes(4, "little") + word.encode() for word in ("jeton", *words))
    return b"\x01" + b"".join(fields)


frames = strategies.one_of(
    strategies.binary(max_size=64),
    strategies.sampled_from([frame("status", "--json"), frame("status", "bare"), frame("ready"), frame("no-such-verb")]),
)
schemathesis.openapi.media_type("application/vnd.jeton.frame", frames.map(Binary))


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Replaces two thirds of the generated names by those of profiles, which are hardly ever generated."""
    name = (path_parameters or {}).get("profile")
    if isinstance(name, str) and name.isascii() and name.isalnum() and name.islower():
        path_parameters["profile"] = ("research", "bare", name)[len(name) % 3]
    return path_parameters


@schemathesis.hook
def filter_query(context, query):
    return not any(isinstance(value, float) and ("e" in repr(value)) for value in (query or {}).values())


@schemathesis.hook
def map_query(context, query):
    if query and isinstance(query.get("max_wait"), (int, float)) and 0.1 < query["max_wait"] <= 60:
        query["max_wait"] = 0.1
    return query
