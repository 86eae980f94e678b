"""A proxy on loopback that loses answers: cut, replaced by a 502, or of a request that it delivers late."""

from __future__ import annotations

import http.client
import random
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

CUT = "cut"
BAD_GATEWAY = "502"
LATE = "late"


class Cutting:
    """Passes requests on to `port`, and with the chance `rate` does to their answers what `kind` says.

    `requests` are their methods and paths, `posted` the paths and bodies of POSTs, as they came.

    `methods` are those that it may happen to. What is late is delivered after `late_seconds`, and its answer is lost;
    `settle` waits for all of it.
    """

    def __init__(self, port: int, *, seed: int = 1, methods: tuple[str, ...] = ("POST", "GET", "DELETE")) -> None:
        self.kind = CUT
        self.rate = 0.0
        self.methods = methods
        self.late_seconds = 4.0
        self.requests: list[tuple[str, str]] = []
        self.posted: list[tuple[str, bytes]] = []
        self.lost = 0
        self._port = port
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._under_way = 0
        self._idle = threading.Condition(self._lock)
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, name="cutting")
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def settle(self, seconds: float = 60.0) -> None:
        """Wait until no request is under way any more."""
        with self._idle:
            assert self._idle.wait_for(lambda: self._under_way == 0, seconds)

    def pass_on(self, handler: BaseHTTPRequestHandler) -> None:
        """Do one request."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        with self._lock:
            self._under_way += 1
            self.requests.append((handler.command, handler.path))
            if handler.command == "POST":
                self.posted.append((handler.path, body))
            loses = handler.command in self.methods and self._random.random() < self.rate
            self.lost += loses
        try:
            if loses and self.kind == LATE:
                self._closing.wait(self.late_seconds)
            status, headers, content = self._deliver(handler, body)
        finally:
            with self._idle:
                self._under_way -= 1
                self._idle.notify_all()
        if loses and self.kind != BAD_GATEWAY:
            reset = struct.pack("ii", 1, 0)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            handler.close_connection = True
            return
        if loses:
            status, headers, content = 502, [], b"<html>bad gateway</html>"
        handler.send_response(status)
        for name, value in headers:
            if name.lower() not in {"connection", "transfer-encoding", "content-length", "date", "server"}:
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def _deliver(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            headers = {
                key: value for key, value in handler.headers.items() if key.lower() not in {"host", "connection"}
            }
            connection.request(handler.command, handler.path, body or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        except OSError:
            return 502, [], b"nobody there"
        finally:
            connection.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        passes = self.pass_on

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                passes(self)

            def do_POST(self) -> None:
                passes(self)

            def do_DELETE(self) -> None:
                passes(self)

            def finish(self) -> None:
                try:
                    super().finish()
                except OSError:
                    return

        return Handler
