"""A web server behind TLS, for lists of relays and answers of a resolver.

Lives here: files of a folder as they are, by GET and POST alike; each request as a line on standard output.
Must not: know what the files hold.

Usage: web.py FOLDER CERTIFICATE KEY
"""

import http.server
import pathlib
import ssl
import sys

folder, certificate, key = (pathlib.Path(it) for it in sys.argv[1:4])


class Handler(http.server.BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self):  # noqa: N802, the name that the library calls
        """Says what the file holds."""
        self.rfile.read(int(self.headers.get("content-length", 0)))
        print(self.command, self.path, flush=True)
        file = folder / self.path.strip("/").replace("/", "_")
        if not file.is_file():
            self.send_error(404)
            return
        content = file.read_bytes()
        self.send_response(200)
        kind = "application/dns-message" if file.name == "dns-query" else "text/plain"
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_):
        """Nothing: standard output has the requests."""


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(f"listening https://127.0.0.1:{server.server_address[1]}", flush=True)
server.serve_forever()
