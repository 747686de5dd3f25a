#!/usr/bin/env python3
"""Lists, creates or deletes a user's keys with the vendor's unmodified Python client, runapy.

Takes RUNAI_URL and RUNAI_KEYS (`access-keys` or `user-applications`) from the environment, the action as arguments
(`list`, `create NAME` or `delete NAME`), and the client ID and the client secret as two lines of standard input.
PYTHONPATH selects the client's version. Prints one line of JSON without any secret: the names of the keys afterwards.
"""

import json
import os
import sys

from runai import api
from runai.api_client import ApiClient
from runai.configuration import Configuration


def main() -> int:
    client_id, secret = (sys.stdin.readline().rstrip("\n") for _ in range(2))
    old = os.environ["RUNAI_KEYS"] == "user-applications"
    try:
        client = ApiClient(
            Configuration(client_id=client_id, client_secret=secret, runai_base_url=os.environ["RUNAI_URL"])
        )
    except Exception as error:
        print(json.dumps({"token": type(error).__name__}))
        return 1
    keys = api.UserApplicationsApi(client) if old else api.AccessKeysApi(client)

    def listed():
        data = keys.get_user_applications().data if old else keys.get_access_keys().data["accessKeys"]
        return {key["name"]: key["id"] for key in data}

    what, names = sys.argv[1], sys.argv[2:]
    for name in names if what == "create" else []:
        (keys.create_user_application if old else keys.create_access_key1)({"name": name})
    for name in names if what == "delete" else []:
        (keys.delete_user_application_by_id if old else keys.delete_access_key_by_id)(listed()[name])
    print(json.dumps({"names": sorted(listed())}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
