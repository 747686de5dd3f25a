"""No connection crosses a fork: two processes that read from one would each get a part of the answers."""

from __future__ import annotations

import os
import socket
import threading
import weakref

# Held while a socket is made or closed, and during a fork: else a fork in another thread could meet one that is not in the
# list yet, or that is no longer in Python's hands and still open. Reentrant, since a signal handler may come in between.
_changing = threading.RLock()


class Connection(socket.socket):
    """A socket of which a child process closes its copy."""

    def __init__(self) -> None:
        with _changing:
            super().__init__(socket.AF_UNIX, socket.SOCK_STREAM)
            _open.add(self)

    def close(self) -> None:
        with _changing:
            super().close()


_open: "weakref.WeakSet[Connection]" = weakref.WeakSet()


def _close_all() -> None:
    # Closed, not shut down: the connection itself is the parent's.
    for sock in list(_open):
        sock.close()
    _open.clear()
    _changing.release()


os.register_at_fork(before=_changing.acquire, after_in_parent=_changing.release, after_in_child=_close_all)
