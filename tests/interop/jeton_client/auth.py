#!/usr/bin/env python3
"""The package's auth classes in the unmodified HTTP libraries.

The first argument is the library: `requests`, `httpx`, `httpx2`, `httpx-async`, `httpx2-async` or `aiohttp`. Takes
JETON_SOCKET from the environment. Prints one line of JSON: the statuses and the number of reports of each case.
"""

import asyncio
import importlib
import json
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from service import service

import jeton
import jeton._client as client_module

PIECES = [b"one ", b"two ", b"three"]


class Requests:
    def __init__(self, profile):
        import requests

        import jeton.requests

        self.session = requests.Session()
        self.session.auth = jeton.requests.Auth(profile)

    def get(self, url):
        answer = self.session.get(url)
        return answer.status_code

    def post(self, url, body):
        # The library accepts a list as form fields and an iterator as a stream.
        answer = self.session.post(url, data=iter(body) if isinstance(body, list) else body)
        return answer.status_code

    def close(self):
        self.session.close()


class Httpx:
    def __init__(self, library, profile):
        module = importlib.import_module(library)
        auth = importlib.import_module(f"jeton.{library}").Auth(profile)
        self.client = module.Client(auth=auth, follow_redirects=True)

    def get(self, url):
        return self.client.get(url).status_code

    def post(self, url, body):
        return self.client.post(url, content=iter(body) if isinstance(body, list) else body).status_code

    def close(self):
        self.client.close()


class AsyncHttpx:
    def __init__(self, library, profile):
        self.library = library
        self.profile = profile

    def run(self, ask):
        module = importlib.import_module(self.library)
        auth = importlib.import_module(f"jeton.{self.library}").Auth(self.profile)

        async def call():
            async with module.AsyncClient(auth=auth, follow_redirects=True) as client:
                return (await ask(client)).status_code

        return asyncio.run(call())

    def get(self, url):
        return self.run(lambda client: client.get(url))

    def post(self, url, body):
        async def pieces():
            for piece in body:
                yield piece

        content = pieces() if isinstance(body, list) else body
        return self.run(lambda client: client.post(url, content=content))

    def close(self):
        pass


class Aiohttp:
    def __init__(self, profile):
        self.profile = profile

    def run(self, ask):
        import aiohttp

        import jeton.aiohttp

        async def call():
            async with aiohttp.ClientSession(middlewares=[jeton.aiohttp.Auth(self.profile)]) as session:
                async with ask(session) as answer:
                    await answer.read()
                    return answer.status

        return asyncio.run(call())

    def get(self, url):
        return self.run(lambda session: session.get(url))

    def post(self, url, body):
        async def pieces():
            for piece in body:
                yield piece

        return self.run(lambda session: session.post(url, data=pieces() if isinstance(body, list) else body))

    def close(self):
        pass


def reports(profile):
    with jeton.watch(profile) as events:
        return next(event for event in events if isinstance(event, jeton.State)).raw["counts"]["reports"]


def storm(new_client, shop):
    """Makes 16 requests at the same time with a revoked token.

    Returns the clients' statuses, and whether there was exactly one report for each 401.
    """
    sent, lock = [0], threading.Lock()
    exchange = client_module.exchange

    def counted(socket, request, deadline):
        if request.path.partition("?")[0].endswith("/reject"):
            with lock:
                sent[0] += 1
        return exchange(socket, request, deadline)

    client_module.exchange = counted
    answered = len(shop.answered)
    start = threading.Barrier(16)

    def ask(_):
        client = new_client()
        start.wait()
        status = client.get(f"{shop.url}/here")
        client.close()
        return status

    with ThreadPoolExecutor(16) as pool:
        got = set(pool.map(ask, range(16)))
    client_module.exchange = exchange
    refused = sum(status == 401 for _, status, _ in shop.answered[answered:])
    return [sorted(got), 0 < refused == sent[0]]


def main() -> int:
    library = sys.argv[1]
    clients = {
        "requests": Requests,
        "aiohttp": Aiohttp,
        "httpx": partial(Httpx, "httpx"),
        "httpx2": partial(Httpx, "httpx2"),
        "httpx-async": partial(AsyncHttpx, "httpx"),
        "httpx2-async": partial(AsyncHttpx, "httpx2"),
    }
    saw = {}
    with service() as shop:

        def case(name, profile, call):
            client = clients[library](profile)
            before, answered = reports(profile), len(shop.answered)
            status = call(client)
            client.close()
            statuses = [status for _, status, _ in shop.answered[answered:]]
            saw[name] = [status, statuses, reports(profile) - before]

        def here(client):
            return client.get(f"{shop.url}/here")

        case("first", "research", here)
        case("again", "research", here)
        case("around", "research", lambda client: client.get(f"{shop.url}/around"))
        case("away", "research", lambda client: client.get(f"{shop.url}/away"))
        case("beside", "research", lambda client: client.get(f"{shop.url}/beside"))
        saw["elsewhere"] = shop.seen_elsewhere
        # Each case uses another profile: after repeated reports, a profile cools down.
        shop.revoke(jeton.token("research"))
        case("revoked", "research", here)
        case("after it", "research", here)
        shop.revoke(jeton.token("second"))
        case("body", "second", lambda client: client.post(f"{shop.url}/here", b"bytes"))
        shop.revoke(jeton.token("third"))
        case("stream", "third", lambda client: client.post(f"{shop.url}/here", list(PIECES)))
        saw["stream"].append(shop.answered[-1][2].decode())
        if library == "requests":
            shop.revoke(jeton.token("fourth"))
            with tempfile.TemporaryFile() as file:
                file.write(b"skipped, sent")
                file.seek(9)
                case("file", "fourth", lambda client: client.post(f"{shop.url}/here", file))
            saw["file"].append(shop.answered[-1][2].decode())
        # The response to the second attempt is a redirect. The client follows it with the newer token.
        shop.revoke(jeton.token("sixth"))
        case("gate", "sixth", lambda client: client.get(f"{shop.url}/gate"))
        # If the last hop answers 401, the redirected request is not repeated.
        case("make", "seventh", lambda client: client.post(f"{shop.url}/make", b"bytes"))
        saw["make"].append(shop.made)
        shop.revoke(jeton.token("eighth"))
        saw["storm"] = storm(lambda: clients[library]("eighth"), shop)
        shop.refuses_all = True
        case("refuses all", "fifth", here)
    print(json.dumps(saw))
    return 0


if __name__ == "__main__":
    sys.exit(main())
