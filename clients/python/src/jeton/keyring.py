"""The backend for keyring, and thereby for twine and pip's `--keyring-provider import`.

It has passwords only for the addresses of `[[profiles.NAME.hosts]]`, and stores nothing. With several backends, keyring
asks one after the other.
"""

from __future__ import annotations

from typing import List, Optional

from keyring.backend import KeyringBackend
from keyring.credentials import Credential, SimpleCredential
from keyring.errors import PasswordDeleteError, PasswordSetError

from . import _helper
from ._errors import JetonError

__all__ = ["Backend"]

# The timeout of a look-up, in seconds. Meanwhile, the program that looks up a password may appear to hang.
_TIMEOUT = 9.0


# A program that asks several backends takes NotImplementedError as "ask the next one".
class _CannotSet(PasswordSetError, NotImplementedError):
    pass


class _CannotDelete(PasswordDeleteError, NotImplementedError):
    pass


class Backend(KeyringBackend):
    """A backend whose passwords are tokens: for an address that a profile names, the profile's token."""

    # Higher than the priority of backends that store passwords: an old stored password must not hide the token.
    priority = 9

    def get_password(self, service: str, username: str) -> Optional[str]:
        lines = _ask(["get", service, username])
        return lines[0] if len(lines) == 1 and lines[0] else None

    def get_credential(self, service: str, username: Optional[str]) -> Optional[Credential]:
        if username is not None:
            password = self.get_password(service, username)
            return None if password is None else SimpleCredential(username, password)
        lines = _ask(["get", service, "--mode", "creds"])
        return SimpleCredential(*lines) if len(lines) == 2 else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise _CannotSet("jeton stores no passwords: 'jetond add' enrols a credential")

    def delete_password(self, service: str, username: str) -> None:
        raise _CannotDelete("jeton stores no passwords: 'jetond remove' forgets a credential")


def _ask(words: List[str]) -> List[str]:
    """Returns the lines of the daemon's response.

    The result is empty if there is no password or the request fails, because the next backend may have a password.
    """
    try:
        code, stdout = _helper.run(["keyring", *words], timeout=_TIMEOUT)
    except JetonError:
        return []
    lines = stdout.decode("ascii", "replace").rstrip("\n").split("\n")
    return lines if code == 0 and all(line.isprintable() for line in lines) else []
