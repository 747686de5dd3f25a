"""The auth class for requests: `requests.get(url, auth=jeton.requests.Auth("research"))`, or a session's `auth`."""

from __future__ import annotations

from typing import Any

from requests import PreparedRequest, Response
from requests.auth import AuthBase
from requests.cookies import extract_cookies_to_jar
from requests.exceptions import UnrewindableBodyError
from requests.utils import rewind_body

from ._auth import Source
from ._token import Token

__all__ = ["Auth"]


class Auth(Source, AuthBase):
    """Adds the profile's token to each request.

    After a 401, it reports the token once, and sends the request once more with the next one.

    The arguments are those of `jeton.token`. requests drops the token from a redirect to another origin.
    """

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        token = self.token()
        r.headers["Authorization"] = token.header
        r.register_hook("response", _Hook(self, token))  # type: ignore[no-untyped-call]
        return r


class _Hook:
    """A hook for every response to one request. Redirects inherit it, so it gets their responses too."""

    def __init__(self, source: Source, token: Token) -> None:
        self._source = source
        self._token = token

    def __call__(self, response: Response, **settings: Any) -> Response:
        sent = response.request
        # The target of a redirect may not have got the token, and may belong to another party.
        if response.status_code != 401 or sent.headers.get("Authorization") != self._token.header:
            return response
        newer = self._source.after(self._token)
        if newer is None:
            return response
        if not (sent.body is None or isinstance(sent.body, (bytes, str))):
            try:
                rewind_body(sent)
            except UnrewindableBodyError:
                return response
        # The connection is free for the next request only after the response has been read.
        response.content  # noqa: B018
        response.close()
        response.request = sent.copy()
        # The request itself is changed, because redirects are derived from it: they would otherwise carry the old
        # token.
        self._token = newer
        extract_cookies_to_jar(sent._cookies, sent, response.raw)  # type: ignore[attr-defined, no-untyped-call]
        sent.prepare_cookies(sent._cookies)  # type: ignore[attr-defined]
        sent.headers["Authorization"] = newer.header
        answer: Response = response.connection.send(sent, **settings)
        answer.history.append(response)
        return answer
