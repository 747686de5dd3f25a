"""Why there is no token."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

# The codes after which the same call may succeed later, without a repair.
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
    """The text with escapes for what would steer the terminal that a traceback is printed to."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


class JetonError(Exception):
    """There is no token, and this says why.

    `code` is a word to decide by: one of the daemon's problem codes (`unavailable`, `forbidden`, `unknown_profile`, ...),
    or, when the daemon said nothing, `unreachable`, `untrusted`, `deadline`, `broken` or `malformed`.
    `detail` is a sentence for people. `retry_at` is when the daemon tries next, in Unix seconds, where it says so.
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
        """Whether the same call may succeed later, without anybody mending anything."""
        return self.code in _TEMPORARY

    def __str__(self) -> str:
        about = f"{self.profile}: " if self.profile else ""
        return f"{about}{self.detail} ({self.code})"

    # An exception of a worker process reaches its parent by pickle, which by default supports only positional
    # arguments.
    def __reduce__(self) -> Tuple[Any, ...]:
        return (_rebuilt, (type(self), self.code, self.detail, self.__dict__))


def _rebuilt(kind: Any, code: str, detail: str, members: Dict[str, Any]) -> JetonError:
    error: JetonError = kind(code, detail)
    error.__dict__.update(members)
    return error


class RefusedError(JetonError):
    """The daemon answered with a problem."""


class UnreachableError(JetonError):
    """No daemon listens, or the connection broke."""


class UntrustedError(JetonError):
    """What listens there belongs to another user, so it was not asked."""


class DeadlineError(JetonError):
    """There was no answer within `timeout`."""
