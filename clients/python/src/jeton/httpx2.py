"""The auth class for httpx2, sync and async: `httpx2.get(url, auth=jeton.httpx2.Auth("research"))`."""

from __future__ import annotations

import httpx2

from ._httpx import Flow

__all__ = ["Auth"]


class Auth(Flow, httpx2.Auth):
    """Adds the profile's token to each request.

    After a 401, it reports the token once, and sends the request once more with the next one.

    The arguments are those of `jeton.token`. httpx2 drops the token from a redirect to another origin.
    """
