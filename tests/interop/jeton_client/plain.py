#!/usr/bin/env python3
"""The package without any HTTP library: tokens, reports, events, refusals and forks.

Takes JETON_SOCKET from the environment. Prints one line of JSON with the results; of a token, only whether it differs
from another one.
"""

import json
import multiprocessing
import os
import pickle
import socket
import sys
import threading

import jeton


def failed(call):
    try:
        call()
    except jeton.JetonError as error:
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), again.code, str(again)) == (type(error), error.code, str(error))
        return [type(error).__name__, error.code, error.retry_at is not None, error.temporary]
    return None


def sockets():
    """Returns the number of connected Unix sockets of this process."""
    count = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            with socket.socket(fileno=os.dup(int(name))) as copy:
                count += copy.family == socket.AF_UNIX and bool(copy.getpeername())
        except OSError:
            pass
    return count


def in_child(work):
    """Forks a child that calls `work`, and returns the result."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.write(writer, json.dumps(work()).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with open(reader, "rb") as told:
        said = told.read()
    assert os.waitpid(pid, 0)[1] == 0
    return json.loads(said)


def worker(_):
    return [jeton.token("research").generation for _ in range(20)]


def main() -> int:
    saw = {}
    token = jeton.token("research", min_valid=1, max_wait=2)
    saw["expiry"] = [0 < token.expires_in <= 600, abs(token.expires_at - token.expires_in) > 1e9, token.stale]
    saw["shown"] = any(token.access_token in text for text in (repr(token), str(token), f"{token}", repr([token])))
    saw["header"] = token.header == f"Bearer {token.access_token}"
    saw["the only one"] = jeton.token().generation == token.generation
    os.environ["JETON_PROFILE"] = "absent"
    saw["by variable"] = failed(jeton.token)
    del os.environ["JETON_PROFILE"]
    saw["odd name"] = failed(lambda: jeton.token("../research\r\nX: y"))
    saw["nothing there"] = failed(lambda: jeton.token("research", socket="/nowhere/jeton.sock"))
    saw["too long"] = failed(lambda: jeton.token("research", socket="/x" * 100))

    with jeton.watch("research") as events:
        first = next(events)
        state = next(events)
        saw["told"] = [first == token, type(state).__name__, state.phase]
        newer = jeton.reject(token)
        saw["newer"] = newer.access_token != token.access_token and newer.generation > token.generation
        # A late second report, with the token's text: it gets the same new token.
        saw["late"] = jeton.reject(token.access_token, "research") == newer
        saw["tells on"] = next(event for event in events if isinstance(event, jeton.Token)) == newer

        before = sockets()
        saw["across a fork"] = [before, in_child(sockets)]
        # The child gets events over a separate connection, and the parent's events continue.
        saw["child watches"] = in_child(lambda: [type(next(events)).__name__ for _ in range(1)])
        newest = jeton.reject(newer)
        saw["parent watches"] = next(event for event in events if isinstance(event, jeton.Token)) == newest
    with jeton.watch("research", since=newest.generation) as events:
        saw["since"] = type(next(events)).__name__

    # Processes are forked while other threads make requests.
    over = threading.Event()

    def ask():
        while not over.is_set():
            jeton.token("research")

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    with multiprocessing.get_context("fork").Pool(4) as pool:
        asked = pool.map(worker, range(8))
    over.set()
    for thread in threads:
        thread.join()
    saw["workers"] = {generation for some in asked for generation in some} == {newest.generation}
    print(json.dumps(saw))
    return 0


if __name__ == "__main__":
    sys.exit(main())
