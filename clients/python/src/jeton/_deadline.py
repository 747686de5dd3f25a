"""The deadline of a whole call."""

from __future__ import annotations

import time

from ._errors import DeadlineError


class Deadline:
    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._end = time.monotonic() + timeout

    def left(self) -> float:
        """Returns the remaining seconds, and raises `DeadlineError` if there are none.

        The result is never 0, which would make a socket non-blocking.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.missed()
        return left

    def missed(self) -> DeadlineError:
        return DeadlineError("deadline", f"the daemon did not answer within {self._timeout:g} s")

    def pause(self, seconds: float) -> None:
        time.sleep(min(seconds, self.left()))
