"""The MLflow plugin: with `MLFLOW_TRACKING_AUTH=jeton`, each request to the tracking server has a token.

The profile is that of `JETON_PROFILE`, or else the only one.
"""

from __future__ import annotations

from .requests import Auth

__all__ = ["AuthProvider"]


class AuthProvider:
    """A request auth provider of MLflow, which finds it by its entry point."""

    def get_name(self) -> str:
        return "jeton"

    def get_auth(self) -> Auth:
        return Auth()
