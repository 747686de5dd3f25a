#!/usr/bin/env python3
"""Unmodified OAuth 2.0 clients for Python, which request tokens from `/oauth2/token` over a Unix socket.

They are oauthlib 4.0.1 with requests-oauthlib 2.0.0 and requests-unixsocket 0.4.1, and the lines of
docs/integrations.md for Authlib 1.9.9, with httpx2 2.16.2 and with httpx 0.28.1. They come from PyPI.

Takes JETON_SOCKET from the environment. The first argument is the library (`oauthlib`, `authlib-httpx2` or
`authlib-httpx`), the second the address of an API that the token is used for. Prints one line of JSON with the result
of each request; of a token, only its length.

requests-oauthlib refuses an address without https unless OAUTHLIB_INSECURE_TRANSPORT is set. The script sets it,
because a Unix socket is not a network.
"""

import json
import os
import sys
import textwrap
from pathlib import Path
from urllib.parse import quote

PATH = os.environ["JETON_SOCKET"]
DOCS = Path(__file__).parents[2] / "docs" / "integrations.md"


def oauthlib_token(profile: str, **more):
    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
    from oauthlib.oauth2 import BackendApplicationClient
    from requests_oauthlib import OAuth2Session
    from requests_unixsocket import UnixAdapter

    session = OAuth2Session(client=BackendApplicationClient(client_id=profile))
    session.mount("http+unix://", UnixAdapter())
    # The adapter takes the socket's path from the host, so the Host header must be set.
    address = f"http+unix://{quote(PATH, safe='')}/oauth2/token"
    return session.fetch_token(address, client_secret="", headers={"Host": "localhost"}, **more)


def authlib_lines(profile: str, api: str) -> str:
    """Returns the lines of the docs for Authlib, with this socket, profile and API instead of those in the docs."""
    lines = DOCS.read_text().splitlines()
    first = next(at for at, line in enumerate(lines) if "import OAuth2Client" in line)
    length = lines[first:].index("")
    text = textwrap.dedent("\n".join(lines[first : first + length]))
    for written, here in (
        ("/run/user/1000/jeton/jeton.sock", PATH),
        ('"research"', f'"{profile}"'),
        ("https://acme.run.ai/api/v1/clusters", api),
    ):
        assert text.count(written) == 1, f"{written} in the docs"
        text = text.replace(written, here)
    return text


def authlib_token(profile: str, **more):
    # Authlib prefers httpx2 if it is installed, and a client of httpx2 cannot use a transport of httpx.
    if sys.argv[1] == "authlib-httpx":
        sys.modules["httpx2"] = None
    lines = authlib_lines(profile, sys.argv[2])
    names = {}
    if more:
        until = lines.index("client.fetch_token()")
        exec(lines[:until], names)
        return names["client"].fetch_token(**more)
    exec(lines, names)
    client = names["client"]
    library = type(client).__mro__[2].__module__.split(".")[0]
    assert f"authlib-{library}" == sys.argv[1], library
    # The API is on the network, not at the daemon's socket.
    assert isinstance(names["clusters"], list), names["clusters"]
    return client.token


def main() -> int:
    get = oauthlib_token if sys.argv[1] == "oauthlib" else authlib_token
    saw = {}
    for name, profile, more in (
        ("token", "research", {}),
        ("unknown profile", "absent", {}),
        ("foreign scope", "research", {"scope": "another"}),
    ):
        try:
            token = get(profile, **more)
        except Exception as error:  # any error is part of the result
            kind = type(error)
            saw[name] = {"failed": kind.__name__, "error": getattr(error, "error", None)}
            continue
        saw[name] = {"length": len(token["access_token"]), "type": token["token_type"]}
        saw[name]["expires"] = 0 < token["expires_in"] <= 600
    print(json.dumps(saw))
    return 0


if __name__ == "__main__":
    sys.exit(main())
