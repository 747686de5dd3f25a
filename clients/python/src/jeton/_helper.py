"""Calls of other programs' helper protocols, sent to the daemon in the frame format of `jeton`, the companion."""

from __future__ import annotations

import os
import struct
from typing import Optional, Sequence, Tuple

from ._deadline import Deadline
from ._errors import JetonError
from ._http import Request, exchange, members
from ._places import Path

_VERSION = b"\x01"
_ARGUMENT, _VARIABLE, _DEADLINE = 1, 2, 5
_STDOUT, _EXIT = 1, 3


def run(words: Sequence[str], *, timeout: float, socket: Optional[Path] = None) -> Tuple[int, bytes]:
    """Runs a helper in the daemon, and returns its exit code and standard output.

    `words` is the helper's argument vector, so `words[0]` is the program's name.
    """
    deadline = Deadline(timeout)
    fields = [_field(_ARGUMENT, os.fsencode(word)) for word in words]
    profile = os.environ.get("JETON_PROFILE")
    if profile:
        fields.append(_field(_VARIABLE, os.fsencode(f"JETON_PROFILE={profile}")))
    fields.append(_field(_DEADLINE, struct.pack("<I", int(timeout * 1000))))
    request = Request("POST", "/v1/helper", body=_VERSION + b"".join(fields))
    head, body = exchange(socket, request, deadline)
    if head.status != 200:
        members(head, body)
    return _answer(body)


def _field(tag: int, value: bytes) -> bytes:
    return struct.pack("<BI", tag, len(value)) + value


def _answer(body: bytes) -> Tuple[int, bytes]:
    stdout = b""
    at = len(_VERSION)
    try:
        while body.startswith(_VERSION):
            tag, length = struct.unpack_from("<BI", body, at)
            at += 5
            value = body[at : at + length]
            at += length
            if tag == _STDOUT:
                stdout += value
            elif tag == _EXIT:
                return value[0], stdout
    except (IndexError, struct.error):
        pass
    raise JetonError("malformed", "what listens there is not jetond: it does not answer as jetond does")
