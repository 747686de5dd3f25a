#!/usr/bin/env python3
"""A program that keeps running while the daemon is stopped and started again.

Takes JETON_SOCKET from the environment. Prints a line of JSON after each step, and continues at each line of its input.
"""

import json
import queue
import sys
import threading

from plain import failed, in_child

import jeton


def tell(value):
    print(json.dumps(value), flush=True)
    sys.stdin.readline()


def main() -> int:
    told = queue.Queue()
    events = jeton.watch("research")
    first = next(event for event in events if isinstance(event, jeton.Token))

    def watch():
        for event in events:
            told.put(event)

    watcher = threading.Thread(target=watch)
    watcher.start()
    tell({"held": first == jeton.token("research")})
    # Now no daemon runs.
    tell({"away": failed(lambda: jeton.token("research"))})
    # Now another daemon runs.
    token = jeton.token("research")
    while True:
        event = told.get(timeout=60)
        if isinstance(event, jeton.Token) and event == token:
            break
    # The child continues a watch whose connection belongs to a thread of its parent.
    child = in_child(lambda: next(event for event in events if isinstance(event, jeton.State)).phase)
    newer = jeton.reject(token)
    seen = []
    while newer not in seen:
        seen.append(told.get(timeout=60))
    events.close()
    watcher.join(timeout=60)
    tell({"another": token != first, "child": child, "ended": not watcher.is_alive()})
    return 0


if __name__ == "__main__":
    sys.exit(main())
