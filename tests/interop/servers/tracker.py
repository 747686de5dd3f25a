"""A minimal W&B server, with just what a login requests.

It exchanges an identity token for one of its own (RFC 7523), and returns that token's user.
"""
import urllib.parse

import common

VIEWER = {
    "id": "VXNlcjox",
    "name": "jeton",
    "deletedAt": None,
    "entity": "jeton",
    "username": "jeton",
    "email": "jeton@example.com",
    "admin": False,
    "flags": "{}",
    "teams": {"edges": []},
    "apiKeys": {"edges": []},
}


def exchanged(assertion):
    """Returns a token of the server's own. It lasts 1 s, so that the client's next request needs another exchange."""
    number, good = common.GATE.judge(assertion)
    common.GATE.record(f"assertion {number}")
    if not good:
        return common.as_json({"error": "invalid_grant"}, 400)
    token = f"exchanged-{number}"
    common.GATE.command(f"good {token}")
    return common.as_json({"access_token": token, "token_type": "Bearer", "expires_in": 1})


class Handler(common.Handler):
    open_paths = ("/oidc/token",)

    def do(self, path):
        if path == "/oidc/token":
            return exchanged(dict(urllib.parse.parse_qsl(self.body.decode())).get("assertion", ""))
        if path == "/graphql":
            return common.as_json({"data": {"viewer": VIEWER}})
        return 404, [], b""

    def refusal(self):
        return common.as_json({"errors": [{"message": "no"}]}, 401)


common.serve(Handler)
