"""Code that uses the package, for mypy in strict mode. It is never run."""

from typing import Iterator, List, Optional, Union

import aiohttp
import httpx
import httpx2
import openai
import requests
from keyring.backend import KeyringBackend
from typing_extensions import assert_type

import jeton
import jeton.aiohttp
import jeton.httpx
import jeton.httpx2
import jeton.keyring
import jeton.mlflow
import jeton.requests

token = jeton.token("research", min_valid=60, max_wait=1.5, timeout=10, socket="/run/jeton/jeton.sock")
assert_type(token, jeton.Token)
assert_type(token.header, str)
assert_type(token.expires_in, float)
assert_type(jeton.reject(token), jeton.Token)
assert_type(jeton.reject("text", "research"), jeton.Token)


def tokens(events: jeton.Watch) -> Iterator[str]:
    for event in events:
        assert_type(event, Union[jeton.Token, jeton.State])
        if isinstance(event, jeton.Token):
            yield event.access_token


try:
    for text in tokens(jeton.watch("research", since=token.generation)):
        assert_type(text, str)
except jeton.JetonError as error:
    assert_type(error.code, str)
    assert_type(error.retry_at, Optional[int])

backend: KeyringBackend = jeton.keyring.Backend()  # type: ignore[no-untyped-call]  # keyring's own is untyped

requests.get("https://api.example", auth=jeton.requests.Auth("research"))
httpx.Client(auth=jeton.httpx.Auth("research", min_valid=60))
httpx2.AsyncClient(auth=jeton.httpx2.Auth())
openai.OpenAI(api_key=lambda: jeton.token("llm").access_token)
middlewares: List[aiohttp.ClientMiddlewareType] = [jeton.aiohttp.Auth("research", url="https://api.example")]
assert_type(backend.get_password("https://index.example", "user"), Optional[str])
assert_type(jeton.mlflow.AuthProvider().get_auth(), jeton.requests.Auth)
