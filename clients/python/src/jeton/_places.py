"""The search for the daemon's socket, in the same places and order as that of `jeton`, the companion."""

from __future__ import annotations

import errno
import os
import socket
import sys
from typing import Dict, List, NamedTuple, Optional, Tuple, Union

from . import _fork, _trust
from ._deadline import Deadline
from ._errors import JetonError, UnreachableError, UntrustedError

Path = Union[str, "os.PathLike[str]"]

# The pause before the next connect while the daemon's connection queue is full, in seconds.
_QUEUE_FULL = 0.01

# The errors that mean that no daemon listens there. The next place is tried.
_ABSENT = (errno.ENOENT, errno.ECONNREFUSED, errno.ENOTDIR)

# The errors for which a retry does not help.
_CODES: Dict[Optional[int], str] = {None: "bad_request", errno.EACCES: "forbidden", errno.EPERM: "forbidden"}


class Place(NamedTuple):
    path: str
    #: Whether the user named this path. Then any peer is trusted there.
    named: bool


def places(named: Optional[Path]) -> Tuple[List[Place], bool]:
    """Returns the places to try, in order, and whether the user chose the only one."""
    if named is not None:
        return [Place(os.fspath(named), True)], True
    variable = os.environ.get("JETON_SOCKET")
    if variable:
        # Root's variables may come from another user, as with `su` and `sudo -E`.
        return [Place(variable, os.geteuid() != 0)], True
    if sys.platform == "darwin":
        home = os.environ.get("HOME")
        return [Place(f"{home}/Library/Application Support/jeton/jeton.sock", False)] if home else [], False
    user = f"/run/user/{os.geteuid()}"
    session = os.environ.get("XDG_RUNTIME_DIR", "")
    # The XDG specification requires a relative path to be ignored.
    folders = [session] if session.startswith("/") else []
    if session != user:
        folders.append(user)
    return [Place(f"{folder}/jeton/jeton.sock", False) for folder in [*folders, "/run"]], False


def connect(named: Optional[Path], deadline: Deadline) -> socket.socket:
    """Connects to the first place where a trusted daemon listens."""
    tried, chosen = places(named)
    worst: Optional[JetonError] = None
    for place in tried:
        try:
            return _connect_to(place, deadline)
        except UntrustedError as error:
            worst = worst if isinstance(worst, UntrustedError) else error
        except OSError as error:
            # For a path that is too long for a socket address, Python raises an error without a number.
            absent = error.errno in _ABSENT or (error.errno is None and not chosen)
            if not absent and worst is None:
                code = _CODES.get(error.errno, "unreachable")
                reason = error.strerror or str(error)
                worst = UnreachableError(code, f"cannot connect to {place.path}: {reason}")
    if worst is not None:
        raise worst
    where = " or ".join(place.path for place in tried)
    raise UnreachableError(
        "unreachable",
        f"jetond is not running: nothing listens at {where} (start it with 'jetond run', or name its socket with JETON_SOCKET)",
    )


def _connect_to(place: Place, deadline: Deadline) -> socket.socket:
    sock = _dial(place.path, deadline)
    if place.named:
        return sock
    peer = _trust.user_of(sock)
    if _trust.is_ours(peer):
        return sock
    sock.close()
    again = _trust.connect_if_shared(place.path, lambda path: _dial(path, deadline))
    if again is None:
        raise UntrustedError(
            "untrusted",
            f"the listener at {place.path} belongs to user {peer}, neither you nor root, so it was not asked; "
            "if you trust that user, name the socket in the call",
        )
    return again


def _dial(path: str, deadline: Deadline) -> socket.socket:
    while True:
        sock = _fork.Connection()
        try:
            sock.settimeout(deadline.left())
            sock.connect(path)
            return sock
        except BlockingIOError:
            # The daemon runs, but its connection queue is full.
            sock.close()
            deadline.pause(_QUEUE_FULL)
        except (TimeoutError, socket.timeout):
            sock.close()
            raise deadline.missed() from None
        except BaseException:
            sock.close()
            raise
