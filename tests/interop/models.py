"""Unmodified model SDKs at a gateway: `models.py SDK ADDRESS`.

Prints one line of JSON: the result of each request. The variable JETON is the path of the companion.
"""
import json
import os
import subprocess
import sys


def token():
    """Returns a token from the companion. An application without the Python package would do this for each request."""
    return subprocess.check_output([os.environ["JETON"], "token", "research"], text=True).strip()


def openai(url):
    from openai import OpenAI

    client = OpenAI(api_key=token, base_url=f"{url}/v1", max_retries=0)
    question = [{"role": "user", "content": "say a word"}]
    return [client.chat.completions.create(model="stub", messages=question).choices[0].message.content for _ in range(2)]


def anthropic(url):
    from anthropic import Anthropic

    client = Anthropic(base_url=url, max_retries=0)
    question = [{"role": "user", "content": "say a word"}]
    return [client.messages.create(model="stub", max_tokens=9, messages=question).content[0].text for _ in range(2)]


print(json.dumps({"openai": openai, "anthropic": anthropic}[sys.argv[1]](sys.argv[2])))
