#!/usr/bin/env python3
"""Runs a program with a gateway that serves the chat completions of OpenAI's API, and prints its results as JSON.

The gateway reports the token of each request to the daemon, and accepts each token only once. So the program must send
another token with its next request. Takes JETON_SOCKET from the environment.
"""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import jeton

tokens = []


class Gateway(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        good = self.path == "/v1/chat/completions" and scheme == "Bearer" and token not in tokens
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Yes"}}
        answer = {"id": "1", "object": "chat.completion", "created": 0, "model": "a-model", "choices": [choice]}
        body = json.dumps(answer if good else {}).encode()
        tokens.append(token)
        jeton.reject(token, "research")
        self.send_response(200 if good else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> int:
    with HTTPServer(("127.0.0.1", 0), Gateway) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/v1"
        environment = {**os.environ, "OPENAI_BASE_URL": address}
        ran = subprocess.run([sys.executable, *sys.argv[1:]], env=environment, capture_output=True, text=True)
        server.shutdown()
    print(json.dumps({"code": ran.returncode, "said": ran.stdout, "errors": ran.stderr, "tokens": len(set(tokens))}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
