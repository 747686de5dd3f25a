"""A WebDAV server whose folder has one file."""
import common

ENTRY = (
    "<d:response><d:href>{path}</d:href><d:propstat><d:status>HTTP/1.1 200 OK</d:status><d:prop>"
    "<d:getlastmodified>Thu, 01 Jan 2026 00:00:00 GMT</d:getlastmodified>{more}</d:prop></d:propstat></d:response>"
)
FOLDER = ENTRY.format(path="/", more="<d:resourcetype><d:collection/></d:resourcetype>")
FILE = ENTRY.format(path="/made-here", more="<d:resourcetype/><d:getcontentlength>1</d:getcontentlength>")
LISTING = f'<?xml version="1.0"?><d:multistatus xmlns:d="DAV:">{FOLDER}{FILE}</d:multistatus>'


class Handler(common.Handler):
    def do(self, path):
        return 207, [("Content-Type", "application/xml")], LISTING.encode()


common.serve(Handler)
