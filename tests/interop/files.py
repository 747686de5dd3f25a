"""Prints what a library reads from the file of the second argument, as a line of JSON; of a token, its SHA-256."""
import hashlib
import json
import os
import sys


def digest(token):
    return hashlib.sha256(token.encode()).hexdigest()


def huggingface(_):
    import huggingface_hub

    return {"token": digest(huggingface_hub.get_token())}


def runapy(file):
    from runai.cliv2_config_loader import CLIv2Config

    config = CLIv2Config(os.path.dirname(file))
    config.load()
    return {"token": digest(config.token), "cluster": config.cluster_uuid, "url": config.control_plane_url}


print(json.dumps({"huggingface": huggingface, "runapy": runapy}[sys.argv[1]](sys.argv[2])))
