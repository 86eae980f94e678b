#!/usr/bin/env bash
# label-studio-sdk 2.1.2: one `tasks.create()` whose answer is lost sends its POST three times.
#
# A POST to /api/tasks makes a new task each time: the server has no key by which a second one of the same content would
# be refused, and the call takes none. So a client must not repeat it by itself: only who called knows whether another
# one would do harm. This one does, twice, where the connection is closed without an answer as where a gateway answers
# 502 for a server that has done its work; neither the package's description nor the call's says so. One call, three
# tasks, one exception. `request_options={"max_retries": 0}` stops it.
#
# Seen with label-studio-sdk 2.1.2, and a server that counts what it takes:
#   closed without an answer: RemoteProtocolError, 3 POSTs; with max_retries 0: 1
#   502 after it was taken:   ApiError, 3 POSTs; with max_retries 0: 1
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
trap 'exit 1' HUP INT TERM # what runs now ends first, and writes no more into it
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-cache-dir label-studio-sdk==2.1.2

"$place/venv/bin/python" - <<'PYTHON'
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import metadata, version

from label_studio_sdk import LabelStudio

taken = []
answers = True


class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        taken.append(self.rfile.read(int(self.headers["Content-Length"])))
        if answers:
            self.send_response(502)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = LabelStudio(base_url=f"http://127.0.0.1:{server.server_port}", api_key="0" * 40)


def posts(**more):
    taken.clear()
    try:
        client.tasks.create(project=1, data={"image": "https://h/a.jpg", "reference_id": "a"}, **more)
        return "nothing", len(taken)
    except Exception as error:
        return type(error).__name__, len(taken)


print(f"label-studio-sdk {version('label-studio-sdk')}")
seen = []
for answers, name in ((False, "closed without an answer:"), (True, "502 after it was taken:")):
    error, many = posts()
    _, one = posts(request_options={"max_retries": 0})
    print(f"  {name:25} {error}, {many} POSTs; with max_retries 0: {one}")
    seen.append((many, one))
told = [*metadata("label-studio-sdk").values(), client.tasks.create.__doc__ or ""]
is_told = any(word in text.lower() for text in told for word in ("retry", "retries", "retried"))
server.shutdown()
sys.exit(0 if seen == [(3, 1), (3, 1)] and not is_told else "this has changed")
PYTHON
