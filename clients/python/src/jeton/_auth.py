"""The common part of the auth classes: gets a token for each request, and reports it once after a 401."""

from __future__ import annotations

from typing import Optional

from ._client import TIMEOUT, Client
from ._errors import JetonError
from ._places import Path
from ._token import Token


class Source:
    """The source of tokens of one auth object."""

    def __init__(
        self,
        profile: Optional[str] = None,
        *,
        min_valid: Optional[float] = None,
        max_wait: Optional[float] = None,
        timeout: float = TIMEOUT,
        socket: Optional[Path] = None,
    ) -> None:
        self._client = Client(profile, socket=socket, timeout=timeout)
        self._min_valid = min_valid
        self._max_wait = max_wait

    def token(self) -> Token:
        return self._client.token(min_valid=self._min_valid, max_wait=self._max_wait)

    def after(self, rejected: Token) -> Optional[Token]:
        """Reports a token that a server answered with 401, and returns the next one.

        Returns `None` if the daemon has no newer token; the caller then gets the 401.
        """
        try:
            return self._client.reject(rejected, max_wait=self._max_wait)
        except JetonError:
            return None
