"""Any API: a request with a good Bearer token gets a line of JSON from every path."""
import common


class Handler(common.Handler):
    def do(self, path):
        return common.as_json({"path": path})


common.serve(Handler)
