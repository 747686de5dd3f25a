"""A training job that outlives its tokens: python train.py URL, with JETON_PROFILE set.

It runs for three token lifetimes. Each step forks its data-loader workers, as a training framework does for an epoch, and
each worker fetches what it needs with a token of its own. Neither knows that tokens expire: both ask when they need one.
"""

import multiprocessing
import sys
import time
import urllib.request

import jeton

URL = sys.argv[1]


def load(shard):
    request = urllib.request.Request(f"{URL}?shard={shard}", headers={"Authorization": jeton.token().header})
    with urllib.request.urlopen(request, timeout=30) as answer:  # 401 and all else that is no 200 ends the job
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
