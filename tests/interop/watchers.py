#!/usr/bin/env python3
"""Unmodified httpx 0.28.1 with httpx-sse 0.4.3, which watches a profile over a Unix socket, and reports a token.

Needs these from PyPI, and JETON_SOCKET in the environment. Prints one line of JSON: the names of the events, in order,
and comparisons of their ids and tokens; of a token, only whether it differs from another one.
"""

import json
import os
import sys

import httpx
from httpx_sse import connect_sse

WATCH = "http://localhost/v1/profiles/research/watch"
REJECT = "http://localhost/v1/profiles/research/token/reject"


def told(client: httpx.Client, upto: str, **headers):
    """Returns the events up to the first one with this name."""
    events = []
    with connect_sse(client, "GET", WATCH, headers=headers) as source:
        for event in source.iter_sse():
            events.append(event)
            if event.event == upto:
                return events
    return events


def main() -> int:
    with httpx.Client(transport=httpx.HTTPTransport(uds=os.environ["JETON_SOCKET"]), timeout=30) as client:
        first = told(client, "state")
        token = first[0].json()
        next_one = client.post(REJECT, json={"generation": token["generation"]}).json()
        back = told(client, "state", **{"Last-Event-ID": first[0].id})
        again = told(client, "state", **{"Last-Event-ID": back[0].id})
    print(json.dumps({
        "first": [event.event for event in first],
        "id is the generation": first[0].id == str(token["generation"]),
        "rejected": next_one["access_token"] != token["access_token"],
        "back": [event.event for event in back],
        "told the next": back[0].json()["access_token"] == next_one["access_token"],
        "again": [event.event for event in again],
        "phase": again[0].json()["phase"],
    }))
    return 0


if __name__ == "__main__":
    sys.exit(main())
