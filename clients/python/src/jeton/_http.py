"""HTTP/1.0 requests, each on a separate connection; the response ends with the stream."""

from __future__ import annotations

import json
import socket
from typing import Any, Dict, List, NamedTuple, NoReturn, Optional, Tuple, Union

from ._deadline import Deadline
from ._errors import JetonError, RefusedError, UnreachableError
from ._places import Path, connect

# The longest accepted response, in bytes: a token has up to 64 KiB, which JSON may double.
_CAP = 512 * 1024
_HEAD_CAP = 16 * 1024


class Request(NamedTuple):
    method: str
    path: str
    headers: Tuple[Tuple[str, str], ...] = ()
    body: bytes = b""

    def to_bytes(self) -> bytes:
        lines = [f"{self.method} {self.path} HTTP/1.0", "Host: localhost", f"Content-Length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, "", ""]).encode("ascii") + self.body


class Head(NamedTuple):
    status: int
    headers: Dict[str, str]


class ConnectionBroken(UnreachableError):
    """The connection ended before the first byte of the response."""

    def __init__(self) -> None:
        super().__init__("broken", "the connection broke before the answer; try again")


def exchange(socket_path: Optional[Path], request: Request, deadline: Deadline) -> Tuple[Head, bytes]:
    """Sends a request and reads the whole response.

    A connection that breaks before the first byte of the response usually means that the daemon is restarting. The
    request is then sent once more.
    """
    try:
        return _once(socket_path, request, deadline)
    except ConnectionBroken:
        return _once(socket_path, request, deadline)


def _once(socket_path: Optional[Path], request: Request, deadline: Deadline) -> Tuple[Head, bytes]:
    sock = connect(socket_path, deadline)
    try:
        head, rest = begin(sock, request, deadline)
        return head, to_the_end(sock, head, rest, deadline)
    finally:
        sock.close()


def begin(sock: socket.socket, request: Request, deadline: Deadline) -> Tuple[Head, bytes]:
    """Sends a request, and reads the head of its response. Returns the head and the part of the body read with it."""
    try:
        sock.settimeout(deadline.left())
        sock.sendall(request.to_bytes())
    except (BrokenPipeError, ConnectionResetError):
        # A caller without permission gets its response before it has sent anything.
        pass
    except (TimeoutError, socket.timeout):
        raise deadline.missed() from None
    held = b""
    while b"\r\n\r\n" not in held:
        piece = _piece(sock, deadline)
        if not piece:
            if held:
                raise _broke_off()
            raise ConnectionBroken()
        held += piece
        if len(held) > _HEAD_CAP and b"\r\n\r\n" not in held[:_HEAD_CAP]:
            raise _not_http()
    head, _, rest = held.partition(b"\r\n\r\n")
    return _parse(head), rest


def to_the_end(sock: socket.socket, head: Head, body: bytes, deadline: Deadline) -> bytes:
    """Reads the rest of a body to the end of the stream, and returns the whole body. `body` is its beginning."""
    announced = head.headers.get("content-length", "")
    pieces: List[bytes] = [body]
    length = len(body)
    while True:
        piece = _piece(sock, deadline)
        if not piece:
            if announced.isdecimal() and announced != str(length):
                raise _broke_off()
            return b"".join(pieces)
        pieces.append(piece)
        length += len(piece)
        if length > _CAP:
            raise JetonError("malformed", "the answer is longer than 512 KiB")


def _piece(sock: socket.socket, deadline: Deadline) -> bytes:
    try:
        sock.settimeout(deadline.left())
        return sock.recv(64 * 1024)
    except ConnectionResetError:
        return b""
    except (TimeoutError, socket.timeout):
        raise deadline.missed() from None


def _parse(head: bytes) -> Head:
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    # isdigit() would also accept a superscript digit.
    if len(words) < 2 or not words[0].startswith("HTTP/1.") or len(words[1]) != 3 or not words[1].isdecimal():
        raise _not_http()
    pairs = (line.partition(":") for line in lines)
    return Head(int(words[1]), {name.strip().lower(): value.strip() for name, _, value in pairs})


def members(head: Head, body: bytes) -> Dict[str, Any]:
    """Returns the members of a response's JSON object. Raises `RefusedError` unless the status is 200."""
    answer = parsed(body)
    if head.status != 200:
        _refuse(head, answer if isinstance(answer, dict) else {})
    if not isinstance(answer, dict):
        # The cause is dropped: it may quote a token.
        raise _not_http() from None
    return answer


def parsed(text: Union[bytes, str]) -> Any:
    """Returns the value of a JSON text; `None` if the text is not JSON, or is nested too deeply for Python."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _refuse(head: Head, problem: Dict[str, Any]) -> NoReturn:
    """Raises the error that a problem (RFC 9457) describes."""
    code, profile, retry_at = (problem.get(name) for name in ("code", "profile", "retry_at"))
    raise RefusedError(
        code if isinstance(code, str) else "malformed",
        str(problem.get("detail") or f"the daemon answered with HTTP status {head.status}"),
        profile=profile if isinstance(profile, str) else None,
        retry_at=retry_at if isinstance(retry_at, int) else None,
        status=head.status,
    )


def _broke_off() -> UnreachableError:
    return UnreachableError("broken", "the answer broke off; try again")


def _not_http() -> JetonError:
    return JetonError("malformed", "what listens there is not jetond: it does not answer as jetond does")
