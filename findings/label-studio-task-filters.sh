#!/usr/bin/env bash
# Label Studio 1.23.2: three ways to ask for the task of an id answer 500, all tasks, or none, where only one finds it.
#
# Nothing makes a task unique, so a client that lost an answer must ask whether its task is there. The filter on
# `data.KEY` finds it. The same filter on `meta.KEY`, where a task may keep what is not to be shown, answers 500 every
# time: who retries a 5xx retries for ever. `?reference_id=…` beside the project is no error and filters nothing: all
# tasks come. A key that no task has (a misspelt one) is no error either: 200 and a total of 0, which reads as "not
# there". And a task that is made by POST /api/tasks has an `overlap` of 1 whatever its project's `maximum_annotations`
# says; one that is imported has the project's.
#
# Seen with label-studio 1.23.2 on SQLite, two tasks of a project with maximum_annotations 3 (takes some 4 minutes):
#   data.reference_id: 200, 1 of 2
#   meta.reference_id: 500
#   ?reference_id=: 200, 2 of 2
#   data.referenceid: 200, 0 of 2
#   overlap: 1 by POST, 3 by import
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
import time
from urllib.error import HTTPError, URLError
from urllib.parse import quote
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
            return reply.status, json.load(reply)
    except HTTPError as error:
        return error.code, None


def filtered(key):
    one = {"filter": f"filter:tasks:{key}", "operator": "equal", "type": "String", "value": "a"}
    return quote(json.dumps({"filters": {"conjunction": "and", "items": [one]}}))


try:
    for _ in range(600):
        try:
            if ask("GET", "/api/projects")[0] == 200:
                break
        except (URLError, ConnectionError, TimeoutError):
            pass
        time.sleep(0.5)
    config = '<View><Image name="i" value="$image"/><Choices name="c" toName="i"><Choice value="x"/></Choices></View>'
    _, project = ask("POST", "/api/projects", {"title": "of ids", "label_config": config, "maximum_annotations": 3})
    number = project["id"]
    task = {"data": {"image": "https://h/a.jpg", "reference_id": "a"}, "meta": {"reference_id": "a"}}
    _, made = ask("POST", "/api/tasks", {"project": number, **task})
    ask("POST", f"/api/projects/{number}/import", [{"data": {"image": "https://h/b.jpg", "reference_id": "b"}}])
    _, all_of_them = ask("GET", f"/api/tasks?project={number}")
    imported = next(each for each in all_of_them["tasks"] if each["id"] != made["id"])
    seen = []
    for name, query in (
        ("data.reference_id", f"query={filtered('data.reference_id')}"),
        ("meta.reference_id", f"query={filtered('meta.reference_id')}"),
        ("?reference_id=", "reference_id=a"),
        ("data.referenceid", f"query={filtered('data.referenceid')}"),
    ):
        status, body = ask("GET", f"/api/tasks?project={number}&{query}")
        seen.append((status, body and body["total"]))
        print(f"{name}: {status}" + (f", {body['total']} of 2" if body else ""))
    overlaps = made["overlap"], ask("GET", f"/api/tasks/{imported['id']}")[1]["overlap"]
    print(f"overlap: {overlaps[0]} by POST, {overlaps[1]} by import")
finally:
    server.terminate()
    server.wait()
good = seen == [(200, 1), (500, None), (200, 2), (200, 0)] and overlaps == (1, 3)
sys.exit(0 if good else "this has changed")
PYTHON
