"""What can be asked of the daemon about one profile."""

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

#: How long a call may take in all, in seconds: as `jeton --timeout`.
TIMEOUT = 30.0

# How long the daemon waits for a token by default, in seconds.
_MAX_WAIT = 5.0


class Client:
    """Asks for the tokens of one profile.

    The profile is the one given, else `JETON_PROFILE`, else the only one there is. `socket` is the path of the daemon's
    socket, else it is looked for where `jeton` looks for it. `timeout` is how long each call may take, in seconds.

    It holds no connection and no token, so that it may be used in any thread and after any fork.
    """

    def __init__(
        self, profile: Optional[str] = None, *, socket: Optional[Path] = None, timeout: float = TIMEOUT
    ) -> None:
        self._profile = profile
        self._socket = socket
        self._timeout = timeout

    def token(self, *, min_valid: Optional[float] = None, max_wait: Optional[float] = None) -> Token:
        """A token, at once if one is held.

        `min_valid` asks for one that is valid for so many seconds more (the daemon takes at most half a lifetime for it),
        and `max_wait` says for how many seconds to wait for that (5); then what is held is given, with `stale` set.

        Raises `JetonError`.
        """
        deadline = Deadline(self._timeout)
        query = self._query(max_wait, min_valid=min_valid)
        return self._ask(Request("GET", f"{self._path(deadline)}/token{query}"), deadline)

    def reject(self, token: Union[Token, str], *, max_wait: Optional[float] = None) -> Token:
        """Reports a token that a server answered with 401, and gives the next one.

        However many processes report the same token, the issuer is asked once. The token itself is not sent.

        Raises `JetonError`: with `unavailable` when there is no newer token within `max_wait` seconds (5), with
        `cooling_down` when fresh tokens keep being reported.
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
        """Each new token (`Token`) and each change of state (`State`), from what is now on.

        `since` leaves out the token of this generation. The first connection is made at once; a later one that breaks is
        made again, for as long as it takes.
        """
        path = self._path(Deadline(self._timeout))
        return Watch(f"{path}/watch", socket=self._socket, timeout=self._timeout, since=since)

    def _ask(self, request: Request, deadline: Deadline) -> Token:
        return Token.parse(members(*exchange(self._socket, request, deadline)))

    def _query(self, max_wait: Optional[float], **more: Optional[float]) -> str:
        # The daemon has to answer before this client stops waiting.
        longest = self._timeout * 0.9
        wait = min(_MAX_WAIT if max_wait is None else max_wait, longest)
        asked = {name: f"{value:.3f}" for name, value in {**more, "max_wait": wait}.items() if value is not None}
        return f"?{urlencode(asked)}"

    def _path(self, deadline: Deadline) -> str:
        return _path_of(self._profile or os.environ.get("JETON_PROFILE") or self._only(deadline))

    def _only(self, deadline: Deadline) -> str:
        """The only profile that this user may use."""
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
