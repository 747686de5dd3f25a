"""A minimal container registry with passwords: just what a login requests."""
import common


class Handler(common.Handler):
    schemes = ("Basic",)

    def do(self, path):
        return common.as_json({})


common.serve(Handler)
