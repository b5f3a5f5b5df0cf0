"""A registry that lets nobody in without a login: prints its port, and serves until it is killed.

Source of what it answers: the OCI Distribution Specification 1.1, "Determining Support", and its error codes.
"""

import http.server
import json
import sys


class Closed(http.server.BaseHTTPRequestHandler):
    """Answers 401 to everything."""

    def do_GET(self) -> None:
        body = json.dumps({"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}).encode()
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="closed"')
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        pass


for method in ("HEAD", "POST", "PUT", "PATCH"):
    setattr(Closed, f"do_{method}", Closed.do_GET)


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Closed)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
