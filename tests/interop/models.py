"""The SDKs of models, unmodified, at a gateway whose address is the second argument. Prints one line of JSON: what each
request gave. `JETON` is the companion."""
import json
import os
import subprocess
import sys


def token():
    """As an application has it without a package of ours: asked for before each request."""
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
