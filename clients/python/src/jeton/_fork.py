"""Sockets that a forked child closes: two processes on one connection would each read only a part of the answers."""

from __future__ import annotations

import os
import socket
import threading
import weakref

# Held while a socket is created or closed, and during a fork. Without it, a fork in another thread could copy a socket
# that is not in the set yet, or one that Python has released but not closed yet. The lock is reentrant, because a
# signal handler may run in a thread that holds it.
_changing = threading.RLock()


class Connection(socket.socket):
    """A Unix socket whose copy is closed in every forked child."""

    def __init__(self) -> None:
        with _changing:
            super().__init__(socket.AF_UNIX, socket.SOCK_STREAM)
            _open.add(self)

    def close(self) -> None:
        with _changing:
            super().close()


_open: "weakref.WeakSet[Connection]" = weakref.WeakSet()


def _close_all() -> None:
    # Close without a shutdown: a shutdown would end the parent's connection too.
    for sock in list(_open):
        sock.close()
    _open.clear()
    _changing.release()


os.register_at_fork(before=_changing.acquire, after_in_parent=_changing.release, after_in_child=_close_all)
