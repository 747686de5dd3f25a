"""Prints a token; needs only Python's standard library: python standard_library.py PROFILE"""

import json
import os
import socket
import sys

folder = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.geteuid()}")
with socket.socket(socket.AF_UNIX) as daemon:
    daemon.settimeout(30)
    daemon.connect(os.environ.get("JETON_SOCKET", f"{folder}/jeton/jeton.sock"))
    daemon.sendall(f"GET /v1/profiles/{sys.argv[1]}/token HTTP/1.0\r\n\r\n".encode())
    answer = json.loads(daemon.makefile("rb").read().partition(b"\r\n\r\n")[2])
print(answer.get("access_token") or sys.exit(answer["detail"]))
