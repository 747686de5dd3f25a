"""A package index with the package `demo-of-jeton`, which accepts a token as the password."""
import hashlib
import io
import zipfile

import common

NAME, VERSION = "demo_of_jeton", "1.0"
WHEEL = f"{NAME}-{VERSION}-py3-none-any.whl"


def wheel():
    info = f"{NAME}-{VERSION}.dist-info"
    files = {
        f"{NAME}.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: demo-of-jeton\nVersion: {VERSION}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: interop\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


CONTENT = wheel()


class Handler(common.Handler):
    schemes = ("Basic",)

    def do(self, path):
        if path == "/simple/demo-of-jeton/":
            digest = hashlib.sha256(CONTENT).hexdigest()
            page = f'<!DOCTYPE html><a href="/files/{WHEEL}#sha256={digest}">{WHEEL}</a>'
            return 200, [("Content-Type", "text/html")], page.encode()
        if path == f"/files/{WHEEL}":
            return 200, [("Content-Type", "application/octet-stream")], CONTENT
        if path == "/upload/":
            return 200, [], b""
        return 404, [], b""


common.serve(Handler)
