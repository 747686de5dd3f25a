"""No connection crosses a fork: two processes that read from one would each get a part of the answers."""

from __future__ import annotations

import os
import socket
import weakref

_open: "weakref.WeakSet[socket.socket]" = weakref.WeakSet()


def opened(sock: socket.socket) -> socket.socket:
    """Remembers a socket, so that a child process closes its copy."""
    _open.add(sock)
    return sock


def _close_all() -> None:
    # Closed, not shut down: the connection itself is the parent's.
    for sock in list(_open):
        sock.close()
    _open.clear()


os.register_at_fork(after_in_child=_close_all)
