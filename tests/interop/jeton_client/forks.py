#!/usr/bin/env python3
"""Forks while other threads connect: no child has a copy of any of their connections.

Takes JETON_SOCKET from the environment. Prints one line of JSON: the connections that children have, each with how often.
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
