#!/usr/bin/env bash
# Label Studio 1.23.2: a list of tasks is answered 500 where one of them is deleted while the list is put together.
#
# `GET /api/tasks` looks for the ids of a page first and for their tasks afterwards; an id whose task has gone in between
# is a KeyError, and the answer says no more than `"detail": "ID"`, the deleted task's id: nothing of what was listed.
# One deletion by anybody thus fails the reading of a project of any size, again and again while many are deleted; who
# takes a 5xx for an outage, or for a sick server, is wrong, and who reads page by page must ask for that page again.
#
# Seen with label-studio 1.23.2 on SQLite, 200 tasks deleted one by one beside two readers, until one was answered so
# (takes some 4 minutes):
#   DELETE answered 204 each time
#   GET /api/tasks answered 200 or 500
#   the detail of 500 is the id of a task that was deleted
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
trap 'exit 1' HUP INT TERM # what runs now ends first, and writes no more into it
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-cache-dir label-studio==1.23.2

"$place/venv/bin/python" - "$place" <<'PYTHON'
import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

(place,) = sys.argv[1:]
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
url, token = f"http://127.0.0.1:{port}", secrets.token_hex(20)
quiet = {"COLLECT_ANALYTICS": "false", "SENTRY_RATE": "0", "SENTRY_DSN": "", "FRONTEND_SENTRY_DSN": ""}
server = subprocess.Popen(
    [f"{place}/venv/bin/label-studio", "start", "--no-browser", "-p", str(port), "--internal-host", "127.0.0.1",
     "--host", url, "--data-dir", f"{place}/data", "--username", "a@example.com", "--password", token,
     "--user-token", token, "--enable-legacy-api-token"],
    env={**os.environ, **quiet, "LATEST_VERSION_CHECK": "false"},
    stdout=open(f"{place}/log", "w"), stderr=subprocess.STDOUT,
)


def ask(method, path, body=None):
    headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
    request = Request(url + path, json.dumps(body).encode() if body is not None else None, headers, method=method)
    try:
        with urlopen(request, timeout=60) as reply:
            return reply.status, json.loads(reply.read() or "null")
    except HTTPError as error:
        return error.code, json.load(error)


try:
    for _ in range(600):
        try:
            if ask("GET", "/api/projects")[0] == 200:
                break
        except (URLError, ConnectionError, TimeoutError):
            pass
        time.sleep(0.5)
    config = '<View><Image name="i" value="$image"/><Choices name="c" toName="i"><Choice value="x"/></Choices></View>'
    _, project = ask("POST", "/api/projects", {"title": "of ids", "label_config": config})
    tasks = [{"data": {"image": f"https://h/{number}.jpg"}} for number in range(200)]
    path = f"/api/projects/{project['id']}/import?return_task_ids=true"
    left = ask("POST", path, tasks)[1]["task_ids"]
    listed, deleted, gone = [], set(), []

    def read():
        while left and not any(status == 500 for status, _ in listed):
            listed.append(ask("GET", f"/api/tasks?project={project['id']}&page_size=1000"))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    while left and any(reader.is_alive() for reader in readers):
        gone.append(str(left.pop()))
        deleted.add(ask("DELETE", f"/api/tasks/{gone[-1]}")[0])
    for reader in readers:
        reader.join()
    answers = {status for status, _ in listed}
    details = {body["detail"] for status, body in listed if status == 500}
    print("DELETE answered", *deleted, "each time")
    print("GET /api/tasks answered", " or ".join(map(str, sorted(answers))))
    is_its_id = bool(details) and details <= set(gone)
    print("the detail of 500 is", "the id of a task that was deleted" if is_its_id else f"another: {details}")
finally:
    server.terminate()
    server.wait()
good = deleted == {204} and answers == {200, 500} and is_its_id
sys.exit(0 if good else "this has changed")
PYTHON
