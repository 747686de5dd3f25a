"""The auth class for httpx, sync and async: `httpx.get(url, auth=jeton.httpx.Auth("research"))`."""

from __future__ import annotations

import httpx

from ._httpx import Flow

__all__ = ["Auth"]


class Auth(Flow, httpx.Auth):
    """Adds the profile's token to each request.

    After a 401, it reports the token once, and sends the request once more with the next one.

    The arguments are those of `jeton.token`. httpx drops the token from a redirect to another origin.
    """
