#!/usr/bin/python3 -IB
"""A stand-in for the companion that uses the Python package, for the same tests.

    package.py [--socket PATH] token | reject | looks N

`looks N` requests a token N times.
"""

import sys

# The package is in the folder of this file.
sys.path.insert(0, __file__.rpartition("/")[0])

import jeton  # noqa: E402


def main(words):
    socket = None
    if "--socket" in words:
        at = words.index("--socket")
        socket = words[at + 1]
        del words[at : at + 2]
    try:
        if words[0] == "looks":
            for _ in range(int(words[1])):
                try:
                    print(jeton.token("p", socket=socket).access_token)
                except jeton.JetonError:
                    pass
            return 0
        if words[0] == "reject":
            token = jeton.reject(sys.stdin.read().strip(), "p", socket=socket)
        else:
            token = jeton.token(socket=socket)
        print(token.access_token)
        return 0
    except jeton.JetonError as error:
        print(error, file=sys.stderr)
        return 77 if isinstance(error, jeton.UntrustedError) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
