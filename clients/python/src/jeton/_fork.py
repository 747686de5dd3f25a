"""No connection crosses a fork: two processes that read from one would each get a part of the answers."""

from __future__ import annotations

import os
import socket
import threading
import weakref

# Held while a socket is created or closed, and during a fork. Otherwise a fork in another thread could find a socket
# that is not in the list yet, or one that Python has already released but that is still open. It is reentrant, since a
# signal handler may interrupt.
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
    # It is closed, not shut down: the connection itself belongs to the parent.
    for sock in list(_open):
        sock.close()
    _open.clear()
    _changing.release()


os.register_at_fork(before=_changing.acquire, after_in_parent=_changing.release, after_in_child=_close_all)
