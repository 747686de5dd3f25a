"""The first page of a container registry that takes a password."""
import common


class Handler(common.Handler):
    schemes = ("Basic",)

    def do(self, path):
        return common.as_json({})


common.serve(Handler)
