"""The auth class for aiohttp 3.12 or later: `aiohttp.ClientSession(middlewares=[jeton.aiohttp.Auth("research")])`."""

from __future__ import annotations

import asyncio
from typing import Optional

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from yarl import URL

from ._auth import Source
from ._client import TIMEOUT
from ._places import Path

__all__ = ["Auth"]


class Auth(Source):
    """A middleware that adds the profile's token to each request to one origin.

    After a 401, it reports the token once, and sends the request once more with the next one.

    The origin is that of `url`, or else that of the first request. aiohttp calls a middleware for each hop of a
    redirect: without this limit, the token would go to every origin that a redirect leads to. The other arguments are
    those of `jeton.token`.
    """

    def __init__(
        self,
        profile: Optional[str] = None,
        *,
        url: Optional[str] = None,
        min_valid: Optional[float] = None,
        max_wait: Optional[float] = None,
        timeout: float = TIMEOUT,
        socket: Optional[Path] = None,
    ) -> None:
        super().__init__(profile, min_valid=min_valid, max_wait=max_wait, timeout=timeout, socket=socket)
        self._origin = None if url is None else URL(url).origin()

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        origin = request.url.origin()
        if self._origin is None:
            self._origin = origin
        if origin != self._origin:
            return await handler(request)
        loop = asyncio.get_running_loop()
        token = await loop.run_in_executor(None, self.token)
        request.headers["Authorization"] = token.header
        response = await handler(request)
        if response.status != 401:
            return response
        newer = await loop.run_in_executor(None, self.after, token)
        # A streamed body cannot be sent again.
        if newer is None or getattr(request.body, "consumed", False):
            return response
        response.release()
        request.headers["Authorization"] = newer.header
        return await handler(request)
