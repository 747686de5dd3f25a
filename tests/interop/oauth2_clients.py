#!/usr/bin/env python3
"""OAuth 2.0 clients of Python, unmodified, at `/oauth2/token` of a Unix socket: oauthlib 4.0.1 with requests-oauthlib
2.0.0 and requests-unixsocket 0.4.1, and Authlib 1.9.9 with httpx 0.28.1.

Needs these from PyPI. Takes JETON_SOCKET from the environment, and the library as its argument (`oauthlib` or
`authlib`). Prints one line of JSON: for each request what came of it, of a token no more than its length.

Of requests-oauthlib: it refuses an address without https unless OAUTHLIB_INSECURE_TRANSPORT is set; the socket is no
network.
"""

import json
import os
import sys
from urllib.parse import quote

PATH = os.environ["JETON_SOCKET"]


def oauthlib_token(profile: str, **more):
    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
    from oauthlib.oauth2 import BackendApplicationClient
    from requests_oauthlib import OAuth2Session
    from requests_unixsocket import UnixAdapter

    session = OAuth2Session(client=BackendApplicationClient(client_id=profile))
    session.mount("http+unix://", UnixAdapter())
    # Its adapter finds the socket in the place of the host, so the name of the host has to be said.
    address = f"http+unix://{quote(PATH, safe='')}/oauth2/token"
    return session.fetch_token(address, client_secret="", headers={"Host": "localhost"}, **more)


def authlib_token(profile: str, **more):
    import httpx
    from authlib.integrations.httpx_client import OAuth2Client

    with OAuth2Client(profile, transport=httpx.HTTPTransport(uds=PATH)) as client:
        return client.fetch_token("http://localhost/oauth2/token", grant_type="client_credentials", **more)


def main() -> int:
    get = {"oauthlib": oauthlib_token, "authlib": authlib_token}[sys.argv[1]]
    saw = {}
    for name, profile, more in (
        ("token", "research", {}),
        ("unknown profile", "absent", {}),
        ("foreign scope", "research", {"scope": "another"}),
    ):
        try:
            token = get(profile, **more)
        except Exception as error:  # whatever it is, it is what was seen
            kind = type(error)
            saw[name] = {"failed": kind.__name__, "error": getattr(error, "error", None)}
            continue
        saw[name] = {"length": len(token["access_token"]), "type": token["token_type"]}
        saw[name]["expires"] = 0 < token["expires_in"] <= 600
    print(json.dumps(saw))
    return 0


if __name__ == "__main__":
    sys.exit(main())
