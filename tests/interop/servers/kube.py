"""A minimal Kubernetes API server: just what `kubectl get namespaces` and the Python client request."""
import common

NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "made-here", "uid": "1"}}
GROUP_VERSION = {
    "name": "namespaces",
    "singularName": "namespace",
    "namespaced": False,
    "kind": "Namespace",
    "verbs": ["get", "list"],
}
ANSWERS = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [GROUP_VERSION]},
    "/api/v1/namespaces": {"kind": "NamespaceList", "apiVersion": "v1", "metadata": {}, "items": [NAMESPACE]},
    "/api/v1/namespaces/made-here": NAMESPACE,
}


def status(code, reason):
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code, "reason": reason}


class Handler(common.Handler):
    def do(self, path):
        if path in ANSWERS:
            return common.as_json(ANSWERS[path])
        return common.as_json(status(404, "NotFound"), 404)

    def refusal(self):
        return common.as_json(status(401, "Unauthorized"), 401)


common.serve(Handler)
