#!/usr/bin/env python3
"""schemathesis 4.32.5 against a running daemon, with the document that it serves: what it says is what is answered.

Needs `pip install schemathesis==4.32.5`, and JETON_SOCKET and JETON_ADMIN_SOCKET in the environment. The profile
`research` has a token, `bare` has none. schemathesis knows no Unix sockets, so each of ours gets a loopback port for
the time of its run. Its output and its exit code are schemathesis's own.

What is left out, and why:
- `positive_data_acceptance` at `/oauth2/token` and `/v1/helper`: a scope can be well-formed and not the profile's, and
  what is a frame no schema can say.
- `positive_data_acceptance` at `/v1/unlock`: an identity ends with a checksum, and is that of one recipient.
- Numbers that Python spells with an exponent, which JSON Schema cannot forbid and the document does in words.
- Watching, whose answer has no end: its events are read by the suite, and by curl beside this. Nor has a rotation's, which
  may last for days: the suite reads its steps.
- A wait that is longer than a moment: the profile without a token would have each of them take its time.
- 501, 502, 503 and 504 are answers that the document promises, so they are no failures of the server; 500 is one.
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
    """The document as it is served, but with members that it does not name forbidden: a later daemon may add some, this
    one has exactly these."""
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
    except OSError:  # one side is closed, and the other notices
        for end in (source, sink):
            end.close()


def bridge(path: str) -> str:
    """Lends a loopback port to the socket at `path`; the address."""
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
    """A run of the companion, as tests/wire/README.md tells."""
    fields = (b"\x01" + len(word).to_bytes(4, "little") + word.encode() for word in ("jeton", *words))
    return b"\x01" + b"".join(fields)


frames = strategies.one_of(
    strategies.binary(max_size=64),
    strategies.sampled_from([frame("status", "--json"), frame("status", "bare"), frame("ready"), frame("no-such-verb")]),
)
schemathesis.openapi.media_type("application/vnd.jeton.frame", frames.map(Binary))


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Names that are made up are hardly ever those of profiles, so every third of them is each of ours."""
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
