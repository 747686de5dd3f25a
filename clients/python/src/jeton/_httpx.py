"""The common part of the httpx and httpx2 auth classes: both packages have the same interface, but separate classes."""

from __future__ import annotations

from functools import partial
from typing import Any, AsyncGenerator, Generator

from ._auth import Source
from ._token import Token


class Flow(Source):
    """The auth flow of a request: sends it with a token, and once more with the next token after a 401."""

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        token = self.token()
        request.headers["Authorization"] = token.header
        response = yield request
        if _is_rejection(response, token):
            newer = self.after(token)
            if newer is not None and _can_be_sent_again(request):
                yield _retry_of_last_hop(response, newer)

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        # httpx runs under asyncio and trio, and depends on anyio for both.
        from anyio.to_thread import run_sync

        token = await run_sync(self.token)
        request.headers["Authorization"] = token.header
        response = yield request
        if _is_rejection(response, token):
            newer = await run_sync(partial(self.after, token))
            if newer is not None and _can_be_sent_again(request):
                yield _retry_of_last_hop(response, newer)


def _is_rejection(response: Any, token: Token) -> bool:
    # The target of a redirect may not have got the token, and may belong to another party.
    return bool(response.status_code == 401 and response.request.headers.get("Authorization") == token.header)


def _retry_of_last_hop(response: Any, token: Token) -> Any:
    """Returns the request of this response with another token. After a redirect, that repeats the last hop only."""
    request = response.request
    request.headers["Authorization"] = token.header
    return request


def _can_be_sent_again(request: Any) -> bool:
    """Reports whether the body is in memory. A streamed body cannot be sent again."""
    try:
        request.content
    except RuntimeError:
        return False
    return True
