"""The requests to the daemon about one profile."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any, Dict, List, Optional, Union
from urllib.parse import quote, urlencode

from ._deadline import Deadline
from ._errors import JetonError
from ._http import Request, exchange, members
from ._places import Path
from ._token import Token
from ._watch import Watch

#: The timeout of a whole call by default, in seconds: the same as that of `jeton --timeout`.
TIMEOUT = 30.0

# How long the daemon waits for a token by default, in seconds.
_MAX_WAIT = 5.0


class Client:
    """A client for the tokens of one profile.

    `profile` defaults to the variable `JETON_PROFILE`, or else to the only profile of the daemon. `socket` is the path
    of the daemon's socket; by default, the client searches the same places as `jeton`. `timeout` limits each call, in
    seconds.

    A client holds no connection and no token, so it may be used in any thread and after any fork.
    """

    def __init__(
        self, profile: Optional[str] = None, *, socket: Optional[Path] = None, timeout: float = TIMEOUT
    ) -> None:
        self._profile = profile
        self._socket = socket
        self._timeout = timeout

    def token(self, *, min_valid: Optional[float] = None, max_wait: Optional[float] = None) -> Token:
        """Returns a token, at once if the daemon holds one.

        `min_valid` asks for a token that stays valid for at least this many seconds. The daemon caps it at half the
        token's lifetime. `max_wait` is how long to wait for such a token, in seconds (default 5). After that, the
        daemon serves the held token, with `stale` set.

        Raises `JetonError`.
        """
        deadline = Deadline(self._timeout)
        query = self._query(max_wait, min_valid=min_valid)
        return self._ask(Request("GET", f"{self._path(deadline)}/token{query}"), deadline)

    def reject(self, token: Union[Token, str], *, max_wait: Optional[float] = None) -> Token:
        """Reports a token that a server answered with 401, and returns the next one.

        The daemon refreshes once, however many processes report the same token. The report does not contain the token.

        Raises `JetonError` with the code `unavailable` if there is no newer token within `max_wait` seconds (default
        5), and with `cooling_down` if servers keep rejecting fresh tokens.
        """
        deadline = Deadline(self._timeout)
        which: Dict[str, Any]
        if isinstance(token, Token):
            path, which = _path_of(token.profile), {"generation": token.generation}
        else:
            path = self._path(deadline)
            which = {"token_sha256": hashlib.sha256(token.encode()).hexdigest()}
        query = self._query(max_wait)
        headers = (("Content-Type", "application/json"),)
        request = Request("POST", f"{path}/token/reject{query}", headers, json.dumps(which).encode())
        return self._ask(request, deadline)

    def watch(self, *, since: Optional[int] = None) -> Watch:
        """Returns an iterator over each new token (`Token`) and change of state (`State`), from the current ones on.

        `since` is the generation of a token that the caller already has, which is left out. The call makes the first
        connection. When a connection breaks later, the iterator reconnects until it succeeds.

        Raises `JetonError`. The iterator itself raises only errors that are not temporary.
        """
        path = self._path(Deadline(self._timeout))
        return Watch(f"{path}/watch", socket=self._socket, timeout=self._timeout, since=since)

    def _ask(self, request: Request, deadline: Deadline) -> Token:
        return Token.parse(members(*exchange(self._socket, request, deadline)))

    def _query(self, max_wait: Optional[float], **more: Optional[float]) -> str:
        # The daemon must answer before this client's timeout.
        longest = self._timeout * 0.9
        wait = min(_MAX_WAIT if max_wait is None else max_wait, longest)
        asked = {name: f"{value:.3f}" for name, value in {**more, "max_wait": wait}.items() if value is not None}
        return f"?{urlencode(asked)}"

    def _path(self, deadline: Deadline) -> str:
        return _path_of(self._profile or os.environ.get("JETON_PROFILE") or self._only(deadline))

    def _only(self, deadline: Deadline) -> str:
        """Returns the name of the only profile that this user may use."""
        answer = members(*exchange(self._socket, Request("GET", "/v1/profiles"), deadline))
        profiles = answer.get("profiles")
        if not isinstance(profiles, list):
            raise JetonError("malformed", "what listens there is not jetond: its answer holds no profiles")
        names: List[str] = [str(profile.get("profile")) for profile in profiles if isinstance(profile, dict)]
        if len(names) == 1:
            return names[0]
        if not names:
            raise JetonError("unknown_profile", "there are no profiles yet; make one with 'jetond add NAME'")
        raise JetonError(
            "bad_request", f"there are several profiles; name one, or set JETON_PROFILE: {', '.join(names)}"
        )


def _path_of(profile: str) -> str:
    return f"/v1/profiles/{quote(profile, safe='', errors='surrogatepass')}"
