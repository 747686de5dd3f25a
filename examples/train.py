"""A training job that runs for longer than a token is valid: python train.py URL, with JETON_PROFILE set.

It runs for three token lifetimes. Each step forks data-loader workers, as a training framework does for each epoch. The
job and its workers ask for a token each time they need one, so they need no code for expired tokens.
"""

import multiprocessing
import sys
import time
import urllib.request

import jeton

URL = sys.argv[1]


def load(shard):
    request = urllib.request.Request(f"{URL}?shard={shard}", headers={"Authorization": jeton.token().header})
    with urllib.request.urlopen(request, timeout=30) as answer:  # any error status, such as 401, ends the job
        return len(answer.read())


def main():
    end = time.monotonic() + 3 * jeton.token(min_valid=1).expires_in
    generations, steps = set(), 0
    while time.monotonic() < end:
        with multiprocessing.get_context("fork").Pool(4) as workers:
            workers.map(load, range(16))
        generations.add(jeton.token().generation)
        steps += 1
    print(f"{steps} steps of 16 requests with {len(generations)} tokens, none refused")


if __name__ == "__main__":
    main()
