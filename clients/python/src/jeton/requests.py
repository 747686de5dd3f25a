"""For requests: `requests.get(url, auth=jeton.requests.Auth("research"))`, or as a session's `auth`."""

from __future__ import annotations

from functools import partial
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
    """Gives each request the profile's token. A 401 is reported once, and the request is sent once more.

    The arguments are those of `jeton.token`. A redirect to another origin gets no token, as requests has it.
    """

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        token = self.token()
        r.headers["Authorization"] = token.header
        r.register_hook("response", partial(self._answered, token))  # type: ignore[no-untyped-call]
        return r

    def _answered(self, token: Token, response: Response, **settings: Any) -> Response:
        sent = response.request
        # What a redirect led to may not have got the token, and may be somebody else's.
        if response.status_code != 401 or sent.headers.get("Authorization") != token.header:
            return response
        newer = self.after(token)
        if newer is None:
            return response
        again = sent.copy()
        if not (again.body is None or isinstance(again.body, (bytes, str))):
            try:
                rewind_body(again)
            except UnrewindableBodyError:
                return response
        # The connection is free for the next request only when the answer is read.
        response.content  # noqa: B018
        response.close()
        extract_cookies_to_jar(again._cookies, sent, response.raw)  # type: ignore[attr-defined, no-untyped-call]
        again.prepare_cookies(again._cookies)  # type: ignore[attr-defined]
        again.headers["Authorization"] = newer.header
        answer: Response = response.connection.send(again, **settings)
        answer.history.append(response)
        answer.request = again
        return answer
