"""For MLflow: with `MLFLOW_TRACKING_AUTH=jeton` and `JETON_PROFILE`, each request to the tracking server carries a token."""

from __future__ import annotations

from .requests import Auth

__all__ = ["AuthProvider"]


class AuthProvider:
    """What MLflow calls a request auth provider. MLflow finds it by its entry point."""

    def get_name(self) -> str:
        return "jeton"

    def get_auth(self) -> Auth:
        return Auth()
