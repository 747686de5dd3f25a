"""Git repositories over HTTPS, served by git's own http-backend; accepts one scheme only: `git.py SCHEME GIT ROOT`."""
import os
import subprocess
import sys

import common

SCHEME, GIT, ROOT = sys.argv[1:]


class Handler(common.Handler):
    schemes = (SCHEME,)

    def do(self, path):
        query = self.path.partition("?")[2]
        environment = {
            **os.environ,
            "GIT_PROJECT_ROOT": ROOT,
            "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_USER": "interop",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_LENGTH": str(len(self.body)),
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        answer = subprocess.run([GIT, "http-backend"], env=environment, input=self.body, stdout=subprocess.PIPE).stdout
        head, _, body = answer.partition(b"\r\n\r\n")
        headers = [line.decode().split(": ", 1) for line in head.split(b"\r\n")]
        status = next((int(value[:3]) for name, value in headers if name == "Status"), 200)
        return status, [header for header in headers if header[0] != "Status"], body


common.serve(Handler)
