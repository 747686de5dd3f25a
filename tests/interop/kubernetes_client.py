"""The unmodified Python client for Kubernetes, with the kubeconfig in its home. Prints the statuses of two requests."""
import json

from kubernetes import client, config

config.load_kube_config()
api = client.CoreV1Api()


def status():
    try:
        return 200 if api.list_namespace().items[0].metadata.name == "made-here" else 0
    except client.ApiException as error:
        return error.status


print(json.dumps([status(), status()]))
