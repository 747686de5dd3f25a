#!/usr/bin/env python3
"""The vendor's unmodified Python client (runapy 1.224.0) at a control plane: gets a token, then manages a user's keys.

Needs `pip install runapy==1.224.0`. Takes RUNAI_URL and RUNAI_KEYS (`access-keys`, the default, or
`user-applications`) from the environment, and the client ID and the client secret as two lines of standard input.
Prints one line of JSON with the results, without any secret.

This client gets tokens only with the grant `app_token`, so it gets none from version 3.0. It repeats a request with a
401 three times. Its base64 decoder is not URL-safe, so it fails for a token with a non-ASCII name. In the IDs in its
requests, it replaces `_` with `-`.
"""

import json
import os
import sys

from runai import api
from runai.api_client import ApiClient
from runai.configuration import Configuration


def main() -> int:
    client_id, secret = (sys.stdin.readline().rstrip("\n") for _ in range(2))
    url = os.environ["RUNAI_URL"]
    old = os.environ.get("RUNAI_KEYS", "access-keys") == "user-applications"
    saw = {"client": "runapy"}

    def ask(named, function, *arguments):
        try:
            answer = function(*arguments)
        except Exception as error:  # any error is part of the result
            saw[named] = {"failed": type(error).__name__, "status": getattr(error, "status", None)}
            return None
        saw[named] = {"status": answer.status_code}
        return answer.data

    try:
        client = ApiClient(Configuration(client_id=client_id, client_secret=secret, runai_base_url=url))
    except Exception as error:
        saw["token"] = {"failed": type(error).__name__}
        print(json.dumps(saw))
        return 1
    saw["token"] = {"length": len(client._token)}

    keys = api.UserApplicationsApi(client) if old else api.AccessKeysApi(client)
    names = ("get_user_applications", "create_user_application", "regenerate_user_application_secret",
             "delete_user_application_by_id") if old else (
             "get_access_keys", "create_access_key1", "regenerate_access_key_secret", "delete_access_key_by_id")
    fetch, create, regenerate, delete = (getattr(keys, name) for name in names)

    def listed(named):
        data = ask(named, fetch)
        found = data if old else (data or {}).get("accessKeys")
        saw[named]["names"] = sorted(key["name"] for key in found or [])

    listed("list")
    made = ask("create", create, {"name": "made-by-runapy"}) or {}
    saw["create"]["members"] = sorted(made)
    listed("list_after_create")
    if "id" in made:
        renewed = ask("regenerate", regenerate, made["id"]) or {}
        saw["regenerate"]["members"] = sorted(renewed)
        ask("delete", delete, made["id"])
    listed("list_after_delete")
    print(json.dumps(saw))
    return 0


if __name__ == "__main__":
    sys.exit(main())
