"""A token realm for docker-registry: `realm.py CERTIFICATE KEY`. It signs the registry's own tokens with the key.

The client sends a token of the profile as the password of the user oauth2, or as a refresh token, as docker does for
the user name `<token>`.
"""
import base64
import json
import sys
import time
import urllib.parse

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

import common

CERTIFICATE, KEY = sys.argv[1:]
with open(KEY, "rb") as file:
    key = serialization.load_pem_private_key(file.read(), None)
with open(CERTIFICATE) as file:
    der = "".join(file.read().split("-----")[2].split())


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(claims):
    parts = [{"typ": "JWT", "alg": "ES256", "x5c": [der]}, claims]
    text = ".".join(encoded(json.dumps(part).encode()) for part in parts)
    r, s = utils.decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{text}.{encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


class Handler(common.Handler):
    schemes = ("Basic",)

    def credential(self):
        form = dict(urllib.parse.parse_qsl(self.body.decode()))
        if form.get("grant_type") == "refresh_token":
            number, good = common.GATE.judge(form["refresh_token"])
            return f"refresh_token {number}", good
        return super().credential()

    def do(self, path):
        asked = urllib.parse.parse_qs(self.path.partition("?")[2] or self.body.decode())
        now = int(time.time())
        access = []
        for scope in " ".join(asked.get("scope", [])).split():
            kind, name, actions = scope.split(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        token = signed({
            "iss": "interop",
            "sub": "interop",
            "aud": asked["service"][0],
            "iat": now,
            "nbf": now - 10,
            "exp": now + 300,
            "jti": str(now),
            "access": access,
        })
        return common.as_json({"token": token, "access_token": token, "expires_in": 300})


common.serve(Handler)
