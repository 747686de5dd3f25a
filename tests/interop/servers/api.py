"""A minimal API: each path returns a line of JSON to a request with a good Bearer token."""
import common


class Handler(common.Handler):
    def do(self, path):
        return common.as_json({"path": path})


common.serve(Handler)
