#!/usr/bin/env python3
"""Forks while other threads connect. No child may have a copy of their connections.

Takes JETON_SOCKET from the environment, and the number of forks as its argument. Prints one line of JSON: the number of
copies in all children.
"""

import json
import os
import sys
import threading

from plain import in_child, sockets

import jeton


def main() -> int:
    over = threading.Event()

    def ask():
        while not over.is_set():
            jeton.token("research")

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    found = [in_child(sockets) for _ in range(int(sys.argv[1]))]
    over.set()
    for thread in threads:
        thread.join()
    print(json.dumps({"copies": sum(found)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
