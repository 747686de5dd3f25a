#!/usr/bin/env python3
"""The package at listeners that send invalid responses. Each call must raise a `JetonError` with printable text.

Prints one line of JSON: the results that differ from that, and the number of responses.
"""

import json
import os
import random
import socket
import sys
import tempfile
import threading

import jeton

TOKEN = {"access_token": "T", "token_type": "Bearer", "profile": "p", "expires_at": 2e9, "expires_in": 9, "generation": 1}
GOOD = {**TOKEN, "stale": False}
STEERS = "\x1b]0;pwned\x07\r\n\x9b2J\u2028\ud800"


def http(body, status="200 OK", length=None):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body) if length is None else length}\r\n\r\n".encode("latin-1") + body


def event(kind, data):
    return f"HTTP/1.1 200 OK\r\n\r\nevent: {kind}\ndata: {data}\n\n".encode()


EVENTS = [
    event("token", "5"),
    event("token", "[]"),
    event("token", "[" * 100_000),
    event("state", '"text"'),
    event("state", "null"),
    event("token", json.dumps({**GOOD, "generation": float("inf")})),
    b"HTTP/1.1 200 OK\r\n\r\n" + b"data: " + b"A" * 600_000,
]

ANSWERS = [
    b"",
    b"\r\n\r\n",
    b"HTTP/1.1\r\n\r\n",
    b"HTTP/1.1 \xb2\xb2\xb2 OK\r\n\r\n{}",
    b"HTTP/1.1 " + b"2" * 5000 + b" OK\r\n\r\n{}",
    b"A" * 20_000,
    b"A" * 20_000 + b"\r\n\r\n",
    http({}, length="\xb2"),
    http({}, length="2" * 5000),
    http({}, length="-1"),
    http(b"\xff"),
    http(b"[" * 100_000),
    http(b'{"a":' * 50_000),
    http(b"9" * 5000),
    http([]),
    http("text"),
    http({**GOOD, "access_token": "a\r\nX: y"}),
    http({**GOOD, "access_token": STEERS}),
    http({**GOOD, "access_token": ["a"]}),
    http({**GOOD, "expires_at": 10**400}),
    http({**GOOD, "generation": float("inf")}),
    http({**GOOD, "generation": float("nan")}),
    http({**GOOD, "expires_in": None}),
    http({"code": STEERS, "detail": STEERS, "profile": STEERS, "retry_at": "soon"}, "403 Forbidden"),
    http({"code": 5, "detail": ["a"], "profile": {}, "retry_at": True}, "503 Unavailable"),
    http([1], "404 Not Found"),
    *EVENTS,
]


def mutated(seed):
    """Returns a response of the daemon with a few bytes changed, inserted or deleted."""
    dice = random.Random(seed)
    problem = {"code": "unavailable", "detail": "d"}
    answer = bytearray(dice.choice([http(GOOD), http(problem, "503 No"), event("token", json.dumps(GOOD))]))
    for _ in range(dice.randrange(1, 5)):
        at = dice.randrange(len(answer))
        answer[at : at + dice.randrange(3)] = bytes(dice.randrange(256) for _ in range(dice.randrange(3)))
    return bytes(answer)


def main() -> int:
    calls = {
        "token": lambda: jeton.token("p", timeout=5),
        "the only one": lambda: jeton.token(timeout=5),
        "reject": lambda: jeton.reject("T", "p", timeout=5),
        "watch": lambda: next(jeton.watch("p", timeout=5)),
    }
    answers = [*ANSWERS, *(http({"profiles": value}) for value in (5, "text", {"a": 1}, [5], [{}], [{"profile": [STEERS]}]))]
    answers += [mutated(seed) for seed in range(int(sys.argv[1]))]
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["JETON_SOCKET"] = f"{folder}/jeton.sock"
        current = [b""]

        def serve():
            while True:
                try:
                    stream, _ = listener.accept()
                except OSError:  # it was shut down
                    return
                with stream:
                    try:
                        stream.recv(65_536)
                        stream.sendall(current[0])
                    except OSError:  # the client has closed the connection
                        pass

        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.environ["JETON_SOCKET"])
            listener.listen(64)
            serving = threading.Thread(target=serve, daemon=True)
            serving.start()
            for answer in answers:
                current[0] = answer
                for name, call in calls.items():
                    # A watch reconnects after an answer that may be temporary.
                    if name == "watch" and answer not in EVENTS:
                        continue
                    try:
                        call()
                    except jeton.JetonError as error:
                        told = [str(error), error.detail, error.code, error.profile or ""]
                        if not all(text.isprintable() for text in told):
                            wrong.append([name, repr(answer[:200]), told])
                    except BaseException as error:
                        wrong.append([name, repr(answer[:200]), repr(error)])
            # At interpreter exit, a thread that still holds standard error would abort the process.
            listener.shutdown(socket.SHUT_RDWR)
            serving.join()
        for name in ("\udcff", "\ud800", ".", "..", "a\0b"):
            try:
                jeton.token(name)
            except jeton.JetonError:
                pass
            except BaseException as error:
                wrong.append(["profile", ascii(name), repr(error)])
    print(json.dumps({"wrong": wrong[:5], "answers": len(answers)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
