"""For httpx: `httpx.get(url, auth=jeton.httpx.Auth("research"))`, or as a client's `auth`, sync or async."""

from __future__ import annotations

import httpx

from ._httpx import Flow

__all__ = ["Auth"]


class Auth(Flow, httpx.Auth):
    """Gives each request the profile's token. A 401 is reported once, and the request is sent once more.

    The arguments are those of `jeton.token`. A redirect to another origin gets no token, as httpx has it.
    """
