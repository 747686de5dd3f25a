"""The event stream of a profile, which reconnects when its connection breaks."""

from __future__ import annotations

import os
import socket as sockets
import time
from types import TracebackType
from typing import Dict, Iterator, List, Optional, Type, Union

from ._deadline import Deadline
from ._errors import JetonError
from ._http import ConnectionBroken, Request, begin, members, parsed, to_the_end
from ._places import Path, connect
from ._token import State, Token

Event = Union[Token, State]

# The longest silence of a connection, in seconds. The daemon sends a comment every 15 s, so a connection that is silent
# for longer is dead.
_SILENCE = 45.0

# The pause before a broken connection is opened again, at first and at most, in seconds.
_PAUSE = (0.1, 5.0)

# The longest line of an event, in bytes: a token in JSON.
_LINE_CAP = 512 * 1024


class Watch(Iterator[Event]):
    """An endless iterator over the tokens and states of a profile. `close()`, or the end of a `with` block, ends it.

    After a fork, the child may use it as well: the child then opens a separate connection. It is not thread-safe,
    except for `close()`.
    """

    def __init__(self, path: str, *, socket: Optional[Path], timeout: float, since: Optional[int]) -> None:
        self._path = path
        self._place = socket
        self._timeout = timeout
        self._since = since
        self._ready: List[Event] = []
        self._closed = False
        self._sock: Optional[sockets.socket] = None
        self._held = b""
        self._fields: Dict[str, str] = {}
        # An error at the start is raised at once. Only a broken connection is tried once more: the daemon may be
        # restarting.
        try:
            self._open()
        except ConnectionBroken:
            self._open()

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the iterator, and wakes a thread that waits for the next event."""
        self._closed = True
        # The waiting thread may drop the connection meanwhile.
        sock = self._sock
        if sock is not None:
            try:
                if self._process == os.getpid():
                    sock.shutdown(sockets.SHUT_RDWR)
            except OSError:
                pass
            sock.close()

    def __next__(self) -> Event:
        pause = _PAUSE[0]
        while not self._closed:
            if self._ready:
                return self._ready.pop(0)
            try:
                if self._sock is None or self._process != os.getpid():
                    self._open()
                # `close()` was called during the connect, when there was no connection to shut down yet.
                if self._closed:
                    break
                self._read()
                pause = _PAUSE[0]
            except (JetonError, OSError) as error:
                self._drop()
                # The daemon refused, or the server is not jetond: a retry would not help.
                if isinstance(error, JetonError) and not error.temporary:
                    raise
                if not self._closed:
                    time.sleep(pause)
                    pause = min(_PAUSE[1], pause * 2)
        self._drop()
        raise StopIteration

    def _drop(self) -> None:
        if self._sock is not None:
            self._sock.close()
        self._sock = None

    def _open(self) -> None:
        """Connects. The events begin with the current state and token, unless that token was already delivered."""
        deadline = Deadline(self._timeout)
        headers = () if self._since is None else (("Last-Event-ID", str(self._since)),)
        self._process = os.getpid()
        self._held, self._fields = b"", {}
        self._sock = connect(self._place, deadline)
        try:
            head, rest = begin(self._sock, Request("GET", self._path, headers), deadline)
            if head.status != 200:
                members(head, to_the_end(self._sock, head, rest, deadline))
        except BaseException:
            self._drop()
            raise
        self._sock.settimeout(_SILENCE)
        self._take(rest)

    def _read(self) -> None:
        sock = self._sock
        assert sock is not None
        piece = sock.recv(64 * 1024)
        if not piece:
            raise ConnectionBroken()
        self._take(piece)

    def _take(self, piece: bytes) -> None:
        *lines, self._held = (self._held + piece).split(b"\n")
        if len(self._held) > _LINE_CAP:
            raise JetonError("malformed", "an event is longer than 512 KiB")
        for line in lines:
            self._line(line.rstrip(b"\r").decode("utf-8", "replace"))

    def _line(self, line: str) -> None:
        if line:
            name, _, value = line.partition(":")
            self._fields[name] = value[1:] if value.startswith(" ") else value
            return
        fields, self._fields = self._fields, {}
        kind, data = fields.get("event"), fields.get("data")
        if data is None:
            return
        told = parsed(data)
        if not isinstance(told, dict):
            # The cause is dropped: it may quote a token.
            raise JetonError("malformed", "an event is not JSON") from None
        if kind == "token":
            token = Token.parse(told)
            self._since = token.generation
            self._ready.append(token)
        elif kind == "state":
            self._ready.append(State.parse(told))
