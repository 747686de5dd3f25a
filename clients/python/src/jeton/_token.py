"""The token and the state of a profile, as the daemon reports them."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional

from ._errors import JetonError


def _clock() -> float:
    """Returns the seconds of a monotonic clock; on Linux, one that also counts while the machine is suspended."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


@dataclass(frozen=True, repr=False)
class Token:
    """A bearer token. `repr` and `str` hide its text; `access_token` and `header` contain it."""

    access_token: str
    profile: str
    #: The expiry, in Unix seconds.
    expires_at: float
    #: A number that increases with each new token of the profile.
    generation: int
    #: Whether the token is valid for less time than `min_valid`, or was reported as rejected.
    stale: bool
    _ends: float = field(compare=False)

    @property
    def expires_in(self) -> float:
        """The remaining lifetime, in seconds; 0 after the expiry."""
        return max(0.0, self._ends - _clock())

    @property
    def header(self) -> str:
        """The value for the `Authorization` header."""
        return f"Bearer {self.access_token}"

    def __repr__(self) -> str:
        return f"<Token of {self.profile}, generation {self.generation}, for {self.expires_in:.0f} s>"

    @classmethod
    def parse(cls, answer: Mapping[str, Any]) -> Token:
        try:
            token = answer["access_token"]
            if not isinstance(token, str) or not token or not all("!" <= char <= "~" for char in token):
                raise ValueError
            return cls(
                access_token=token,
                profile=str(answer["profile"]),
                expires_at=float(answer["expires_at"]),
                generation=int(answer["generation"]),
                stale=bool(answer["stale"]),
                _ends=_clock() + float(answer["expires_in"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            # The cause may quote the response, and so the token.
            raise JetonError("malformed", "what listens there is not jetond: its answer holds no token") from None


@dataclass(frozen=True)
class State:
    """The state of a profile. `raw` has every member of the daemon's response."""

    profile: str
    #: `starting`, `fresh`, `retrying`, `rejected`, `expired`, `resting`, `locked` or `misconfigured`.
    phase: str
    #: The time of the daemon's next attempt, in Unix seconds, or `None`.
    next_attempt_at: Optional[float]
    raw: Mapping[str, Any] = field(repr=False)

    @classmethod
    def parse(cls, answer: Mapping[str, Any]) -> State:
        return cls(
            profile=str(answer.get("profile", "")),
            phase=str(answer.get("phase", "")),
            next_attempt_at=answer.get("next_attempt_at"),
            raw=answer,
        )
