#!/usr/bin/env python3
"""Unmodified MLflow and keyring (with twine), which find the package by its entry points.

Takes JETON_SOCKET and JETON_PROFILE from the environment. The argument is the address of an index that the profile
names. Prints one line of JSON with the results; of a token, only whether it is the right one.
"""

import json
import os
import sys

from service import service

import jeton


def mlflow_requests():
    """Returns the statuses of a tracking server's responses to a client that is set up by MLflow's variables only."""
    with service() as shop:
        os.environ["MLFLOW_TRACKING_URI"] = shop.url
        os.environ["MLFLOW_TRACKING_AUTH"] = "jeton"
        os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
        from mlflow.tracking import MlflowClient

        client = MlflowClient()
        client.search_experiments()
        shop.revoke(jeton.token())
        client.search_experiments()
        return [status for _, status, _ in shop.answered]


def passwords(index):
    """Returns the results of look-ups with keyring and twine."""
    import keyring
    from keyring.errors import PasswordSetError
    from twine.auth import CredentialInput, Resolver

    token = jeton.token().access_token
    saw = {
        "password": keyring.get_password(index, "ci") == token,
        "another user": keyring.get_password(index, "build"),
        "user name": keyring.get_credential(index, None).username,
        "credential": keyring.get_credential(index, None).password == token,
        "elsewhere": [
            keyring.get_password("https://elsewhere.example/", "build"),
            keyring.get_credential("https://elsewhere.example/", None),
            keyring.get_password("a program's name", "build"),
            keyring.get_password(f"{index}\nhost=elsewhere.example", "build"),
        ],
    }
    resolver = Resolver({"repository": index}, CredentialInput())
    saw["twine"] = [resolver.username, resolver.password == token]
    try:
        keyring.set_password(index, "build", "a password")
    except PasswordSetError as error:
        saw["set"] = str(error)
    os.environ["JETON_SOCKET"] = "/nowhere/jeton.sock"
    saw["no daemon"] = keyring.get_password(index, "build")
    return saw


def main() -> int:
    print(json.dumps({"mlflow": mlflow_requests(), "keyring": passwords(sys.argv[1])}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
