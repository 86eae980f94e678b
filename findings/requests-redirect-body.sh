#!/usr/bin/env bash
# requests 2.34.2 reads all of a redirect's body before it returns, also with allow_redirects=False and stream=True.
#
# stream=True promises that the call returns when the headers are there. It does for 200; for 302 with a Location, to
# which it was told not to go, requests works out what the next request would be (Response.next) and reads the answer's
# body to its end on the way. A limit on the size that the caller keeps while reading comes too late, and so does a
# limit on the time: the timeout is for each read, not for all of them.
#
# Seen with requests 2.34.2 and urllib3 2.8.0, a body of 1 MiB that takes its server 1 s:
#   200: the call returned after 0.0 s with 0 bytes of the body read
#   302: the call returned after 1.0 s with 1,048,576 bytes of the body read
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
trap 'exit 1' HUP INT TERM # what runs now ends first, and writes no more into it
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-cache-dir requests==2.34.2 urllib3==2.8.0

"$place/venv/bin/python" - <<'PYTHON'
import contextlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

PIECES, PIECE = 16, bytes(65536)


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(int(self.path[1:]))
        if self.path == "/302":
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(PIECES * len(PIECE)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # the client of the 200 hangs up
            for _ in range(PIECES):
                self.wfile.write(PIECE)
                time.sleep(1 / PIECES)

    def log_message(self, *args: object) -> None:
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
session = requests.Session()
session.trust_env = False  # no proxy
read = {}
for status in (200, 302):
    began = time.monotonic()
    url = f"http://127.0.0.1:{server.server_port}/{status}"
    with session.get(url, stream=True, allow_redirects=False, timeout=0.5) as answer:
        seconds = time.monotonic() - began
        assert answer.status_code == status
        read[status] = answer.raw.tell()
    print(f"{status}: the call returned after {seconds:.1f} s with {read[status]:,} bytes of the body read")
server.shutdown()
assert read[200] == 0, "changed: stream=True reads the body"
assert read[302] == PIECES * len(PIECE), "changed: a redirect's body is left to the caller"
PYTHON
