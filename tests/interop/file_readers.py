"""Unmodified programs that read their token from a file.

    file_readers.py PROGRAM FILE

The program reads the token in FILE. Then the token is reported as rejected. When FILE has the next token, the program
reads it in the same process. Prints one line of JSON: both tokens. The variable JETON is the path of the companion.
"""
import json
import os
import subprocess
import sys
import time

PROGRAM, FILE = sys.argv[1:3]


def content():
    with open(FILE, encoding="ascii") as file:
        return file.read()


def reject(token):
    """Reports the token as rejected, and waits until the next one is in the file."""
    before = content()
    line = [os.environ["JETON"], "reject", "research"]
    subprocess.run(line, input=token, text=True, check=True, stdout=subprocess.DEVNULL)
    while content() == before:
        time.sleep(0.01)


def aws():
    """Returns a reader that uses botocore; a local token service records the token that botocore sends."""
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from urllib.parse import parse_qs

    import botocore.session

    sent = []

    class Service(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            sent.append(parse_qs(body, strict_parsing=True)["WebIdentityToken"][0])
            answer = (
                "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"
                "<AccessKeyId>A</AccessKeyId><SecretAccessKey>B</SecretAccessKey><SessionToken>C</SessionToken>"
                "<Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>"
                "</AssumeRoleWithWebIdentityResponse>"
            ).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ["AWS_ENDPOINT_URL_STS"] = f"http://127.0.0.1:{server.server_port}"

    def read():
        credentials = botocore.session.get_session().get_credentials().get_frozen_credentials()
        assert credentials.access_key == "A", credentials
        return sent[-1]

    return read


def wlcg():
    """Returns a reader that uses scitokens, which discovers a token as WLCG specifies.

    scitokens would then verify the token with its issuer, which a sandbox's token does not have. So that step is
    replaced.
    """
    from scitokens import SciToken

    found = []
    SciToken.deserialize = staticmethod(lambda token, *_: found.append(token))

    def read():
        SciToken.discover()
        return found[-1]

    return read


def wandb():
    """Returns a reader that uses W&B's library.

    The library exchanges the file's token at the server of WANDB_BASE_URL, and requests its own user with the new
    token.
    """
    import wandb

    def read():
        assert wandb.Api().viewer.username == "jeton"
        return content()

    assert wandb.login(verify=True)
    return read


def openai():
    """Returns a reader that uses OpenAI's library.

    The library has no variable for the file, so an application passes it a function that reads the file.
    """
    from openai import OpenAI
    from openai.auth import k8s_service_account_token_provider

    question = [{"role": "user", "content": "say a word"}]

    def read():
        provider = k8s_service_account_token_provider(os.environ["OPENAI_IDENTITY_TOKEN_FILE"])
        identity = {"identity_provider_id": "idp_1", "service_account_id": "sa_1", "provider": provider}
        with OpenAI(workload_identity=identity, max_retries=0) as client:
            answer = client.chat.completions.create(model="stub", messages=question)
        assert answer.choices[0].message.content == "jeton"
        return content()

    return read


read = globals()[PROGRAM]()
first = read()
reject(first)
print(json.dumps([first, read()]))
