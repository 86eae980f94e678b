#!/usr/bin/env bash
# uvicorn 0.54.0: with its own `bind_socket()`, or any socket made plainly, each answer on a kept connection is 40 ms late.
#
# asyncio sets TCP_NODELAY on a connection only where `socket.proto` is IPPROTO_TCP. A socket that is made without naming
# a protocol says 0, and so does each connection that it accepts: head and body of an answer are two writes, and the
# second waits until the peer has acknowledged the first, which Linux does 40 ms later. `Config.bind_socket()`, by which
# uvicorn listens for several workers, and `socket.create_server()` of the standard library make such a socket; at a host
# and a port alone asyncio makes its own, which names the protocol, as a service's own socket may: nothing waits there.
#
# Seen with uvicorn 0.54.0 and h11 0.16.0 on Python 3.11, the medians of 50 requests on one connection:
#   Config.bind_socket(): proto 0, 44.0 ms
#   socket.create_server(): proto 0, 44.0 ms
#   named as IPPROTO_TCP: proto 6, 0.1 ms
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
trap 'exit 1' HUP INT TERM # what runs now ends first, and writes no more into it
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-cache-dir uvicorn==0.54.0 h11==0.16.0

cat > "$place/late.py" <<'PYTHON'
import http.client
import socket
import statistics
import sys
import threading
import time

import uvicorn


async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


config = uvicorn.Config(
    app, host="127.0.0.1", port=0, http="h11", loop="asyncio", ws="none", lifespan="off", log_config=None
)


def median_ms(listening):
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    client = http.client.HTTPConnection(*listening.getsockname()[:2])
    times = []
    for _ in range(50):
        begun = time.perf_counter()
        client.request("GET", "/")
        assert client.getresponse().read() == b"ok"
        times.append(1000 * (time.perf_counter() - begun))
    client.close()
    server.should_exit = True
    thread.join()
    return statistics.median(times)


named = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
named.bind(("127.0.0.1", 0))
sockets = {
    "Config.bind_socket()": config.bind_socket(),
    "socket.create_server()": socket.create_server(("127.0.0.1", 0)),
    "named as IPPROTO_TCP": named,
}
same = True
for name, listening in sockets.items():
    listening.listen()
    proto, taken = listening.proto, median_ms(listening)
    print(f"{name}: proto {proto}, {taken:.1f} ms")
    same &= (proto == 6 and taken < 20) if listening is named else (proto == 0 and taken > 20)
if not same:
    sys.exit("this has changed")
PYTHON

"$place/venv/bin/python" "$place/late.py"
