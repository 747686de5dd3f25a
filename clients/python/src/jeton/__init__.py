"""Bearer tokens from `jetond`, the daemon that holds credentials and refreshes tokens ahead of their expiry.

    import jeton

    token = jeton.token("research")
    call(headers={"Authorization": token.header})

Ask for a token each time you need one, and do not store it: the daemon serves a held token in less than a millisecond.
"""

from __future__ import annotations

from typing import Optional, Union

from ._client import TIMEOUT, Client
from ._errors import DeadlineError, JetonError, RefusedError, UnreachableError, UntrustedError
from ._places import Path
from ._token import State, Token
from ._watch import Event, Watch

__all__ = [
    "Client",
    "DeadlineError",
    "Event",
    "JetonError",
    "RefusedError",
    "State",
    "Token",
    "UnreachableError",
    "UntrustedError",
    "Watch",
    "reject",
    "token",
    "watch",
]

__version__ = "0.1.0"


def token(
    profile: Optional[str] = None,
    *,
    min_valid: Optional[float] = None,
    max_wait: Optional[float] = None,
    timeout: float = TIMEOUT,
    socket: Optional[Path] = None,
) -> Token:
    """Returns a token of the profile: see `Client` and `Client.token`."""
    return Client(profile, socket=socket, timeout=timeout).token(min_valid=min_valid, max_wait=max_wait)


def reject(
    token: Union[Token, str],
    profile: Optional[str] = None,
    *,
    max_wait: Optional[float] = None,
    timeout: float = TIMEOUT,
    socket: Optional[Path] = None,
) -> Token:
    """Reports a token that a server answered with 401, and returns the next one: see `Client.reject`."""
    return Client(profile, socket=socket, timeout=timeout).reject(token, max_wait=max_wait)


def watch(
    profile: Optional[str] = None,
    *,
    since: Optional[int] = None,
    timeout: float = TIMEOUT,
    socket: Optional[Path] = None,
) -> Watch:
    """Returns an iterator over each new token and each change of state of the profile: see `Client.watch`."""
    return Client(profile, socket=socket, timeout=timeout).watch(since=since)
