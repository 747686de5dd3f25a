"""The check whether to trust the daemon at a path that the user did not name.

Another user may have created the folder or set the variable, and a process of that user could serve tokens of its own
choice. So the kernel is asked for the user of the process that called `listen`. The rules are those of `jeton`, the
companion.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
import sys
from contextlib import contextmanager
from typing import Callable, Iterator, Optional

# The user ID that the kernel reports for users without an ID in this user namespace. A user here may have it too.
_UNMAPPED = 65534

# The folder of the system's daemon. Only root can create it.
_SYSTEM = "/run/jeton"

# The modes of a volume that the containers of a pod share: those of a Kubernetes `emptyDir`, without and with an
# `fsGroup`. A folder with the sticky bit is not a volume, but a folder for many users, such as /tmp.
_VOLUME_MODES = (0o777, 0o2777)


def user_of(sock: socket.socket) -> int:
    """Returns the user ID of the peer; -1, which no user has, if the kernel does not report one."""
    try:
        if sys.platform == "linux":
            length = struct.calcsize("iII")
            _, uid, _ = struct.unpack("iII", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, length))
            return int(uid) if uid != 0xFFFFFFFF else -1
        # struct xucred of macOS and the BSDs: cr_version, cr_uid, ... (level 0, LOCAL_PEERCRED)
        _, uid = struct.unpack_from("iI", sock.getsockopt(0, 1, 76))
        return int(uid)
    except (OSError, struct.error):
        return -1


def is_ours(uid: int) -> bool:
    """Reports whether the user is root, or the user of this process."""
    return uid == 0 or (uid == os.geteuid() and not _is_unmapped(uid))


def connect_if_shared(path: str, dial: Callable[[str], socket.socket]) -> Optional[socket.socket]:
    """Connects again if the socket's folder is one in which another user's daemon is trusted; returns `None` otherwise.

    The connect goes through a descriptor of the checked folder, because the path may lead to another folder by then.
    """
    if sys.platform != "linux":
        return None
    folder, name = os.path.split(path)
    try:
        with _pinned(folder or ".") as pin:
            owner = _trusted_owner_of(pin)
            if owner is None:
                return None
            sock = dial(f"/proc/self/fd/{pin}/{name}")
            peer = user_of(sock)
            if owner == _ANY or peer == owner or is_ours(peer):
                return sock
            sock.close()
    except OSError:
        pass
    return None


_ANY = -2


@contextmanager
def _pinned(folder: str, above: Optional[int] = None) -> Iterator[int]:
    flags = getattr(os, "O_PATH", 0) | os.O_DIRECTORY | os.O_CLOEXEC
    pin = os.open(folder, flags, dir_fd=above)
    try:
        yield pin
    finally:
        os.close(pin)


def _trusted_owner_of(folder: int) -> Optional[int]:
    """Returns the user whose daemon is also trusted in this folder, beside this user's and root's.

    `_ANY` means every user's, and `None` no other user's.
    """
    if _is_volume(folder):
        return _ANY
    with _pinned("..", folder) as above:
        if _is_volume(above):
            return _ANY
    here, system = os.fstat(folder), _lstat(_SYSTEM)
    same = system is not None and stat.S_ISDIR(system.st_mode) and os.path.samestat(system, here)
    return here.st_uid if same and _run_is_roots_only() else None


def _is_volume(folder: int) -> bool:
    """Reports whether the folder is a mount point that root owns and every user can write. `/` never counts as one."""
    here, root = os.fstat(folder), _lstat("/")
    if stat.S_IMODE(here.st_mode) not in _VOLUME_MODES or not _is_roots(here):
        return False
    if root is None or os.path.samestat(root, here):
        return False
    with _pinned("..", folder) as above:
        return _mount_of(folder) != _mount_of(above)


def _mount_of(folder: int) -> str:
    with open(f"/proc/self/fdinfo/{folder}", encoding="ascii") as lines:
        return next(line for line in lines if line.startswith("mnt_id:"))


def _run_is_roots_only() -> bool:
    """Reports whether only root can write the folder above `_SYSTEM`. In a container, every user may be able to."""
    run = _lstat("/run")
    return run is not None and stat.S_ISDIR(run.st_mode) and not run.st_mode & 0o022 and _is_roots(run)


def _is_roots(folder: os.stat_result) -> bool:
    """Reports whether the folder's owner may be root. In a user namespace, the machine's root may have no ID."""
    return folder.st_uid == 0 or _is_unmapped(folder.st_uid)


def _is_unmapped(uid: int) -> bool:
    """Reports whether this ID may stand for a user without an ID in this user namespace."""
    if uid != _UNMAPPED or sys.platform != "linux":
        return False
    try:
        with open("/proc/self/uid_map", encoding="ascii") as lines:
            return lines.read().split() != ["0", "0", "4294967295"]
    except OSError:
        return False


def _lstat(path: str) -> Optional[os.stat_result]:
    """Returns the status of a path without following a link; `None` if it cannot be read."""
    try:
        return os.lstat(path)
    except OSError:
        return None
