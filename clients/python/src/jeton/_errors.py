"""The errors of the package."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

# The codes of temporary errors: the same call may succeed later without any action.
_TEMPORARY = frozenset(
    {
        "broken",
        "conflict",
        "cooling_down",
        "deadline",
        "locked",
        "too_many_requests",
        "unavailable",
        "unreachable",
    }
)


def _printable(text: str) -> str:
    """Escapes the characters that are not printable: in a traceback, they could control the terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


class JetonError(Exception):
    """The reason why a call got no token.

    `code` is for programs. It is one of the daemon's problem codes (`unavailable`, `forbidden`, `unknown_profile`,
    ...). Without a valid answer, it is `unreachable`, `untrusted`, `deadline`, `broken` or `malformed`. `detail` is a
    sentence for people. `retry_at` is the time of the daemon's next attempt in Unix seconds, or `None`.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        profile: Optional[str] = None,
        retry_at: Optional[int] = None,
        status: Optional[int] = None,
    ) -> None:
        detail = _printable(detail)
        super().__init__(detail)
        self.code = _printable(code)
        self.detail = detail
        self.profile = None if profile is None else _printable(profile)
        self.retry_at = retry_at
        self.status = status

    @property
    def temporary(self) -> bool:
        """Whether the same call may succeed later without any action."""
        return self.code in _TEMPORARY

    def __str__(self) -> str:
        about = f"{self.profile}: " if self.profile else ""
        return f"{about}{self.detail} ({self.code})"

    # A worker process pickles its exception for its parent. By default, pickle passes only positional arguments.
    def __reduce__(self) -> Tuple[Any, ...]:
        return (_rebuilt, (type(self), self.code, self.detail, self.__dict__))


def _rebuilt(kind: Any, code: str, detail: str, members: Dict[str, Any]) -> JetonError:
    error: JetonError = kind(code, detail)
    error.__dict__.update(members)
    return error


class RefusedError(JetonError):
    """The daemon refused the request."""


class UnreachableError(JetonError):
    """No daemon listens, or the connection broke."""


class UntrustedError(JetonError):
    """The listener belongs to another user, so no request was sent."""


class DeadlineError(JetonError):
    """The daemon did not answer within `timeout`."""
