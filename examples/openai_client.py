"""An OpenAI client with tokens as keys: OPENAI_BASE_URL=https://gateway.example/v1 python openai_client.py PROFILE"""

import sys

import jeton
import openai

# The client calls this for each request, so it always sends the current token.
client = openai.OpenAI(api_key=lambda: jeton.token(sys.argv[1]).access_token)

for question in ("Is a token a coin?", "And in French?"):
    answer = client.chat.completions.create(model="a-model", messages=[{"role": "user", "content": question}])
    print(answer.choices[0].message.content)
