"""The HTTP server under the sandbox: keep-alive, a bounded body, and a stop that leaves no thread behind."""

from __future__ import annotations

import json
import logging
import socket
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

logger = logging.getLogger(__package__)

BODY_BYTES: Final = 32 * 2**20
_CHUNK_BYTES: Final = 65536
_STOP_SECONDS: Final = 0.05  # how long a stop may go unnoticed


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came. `path` is percent-decoded; `key` is the x-api-key header, or None.

    `named` is for the application: the parts of the path that its route names.
    """

    method: str
    path: str
    query: Mapping[str, list[str]]
    key: str | None
    body: bytes
    named: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back: a status, a JSON body and more headers."""

    status: int
    body: Mapping[str, object]
    headers: Mapping[str, str] = field(default_factory=dict)


class LoseReply(Exception):
    """Raised by the application to close the connection without an answer."""


class Server(ThreadingHTTPServer):
    """Answers on 127.0.0.1 with what `application` returns for each request, a thread for each connection."""

    request_queue_size = 128
    daemon_threads = False  # so that server_close() waits for every thread

    def __init__(self, port: int, application: Callable[[Request], Answer]) -> None:
        self.application = application
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(_STOP_SECONDS,), name="sandbox")
        self._thread.start()

    def server_bind(self) -> None:
        """Bind without `HTTPServer`'s reverse look-up of the host, which can take seconds without a DNS."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def stop(self) -> None:
        """Let requests under way finish, end idle connections, and wait for all threads."""
        self.shutdown()
        self._thread.join()
        with self._open_lock:
            for connection in self._open:
                _end_reading(connection)
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, then answer it in a thread of its own."""
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close the connection and forget it."""
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - socketserver's own signature
        """Log what went wrong while answering; a client that went away is nothing to speak of."""
        error = sys.exception()
        if isinstance(error, ConnectionError):
            logger.debug("a client of the sandbox went away")
        else:
            logger.error("the sandbox failed to answer", exc_info=error)


class _Handler(BaseHTTPRequestHandler):
    """Reads requests of one connection and writes the application's answers."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet for an answer's headers and body
    server: Server

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's own signature
        """Say nothing: an access log would drown what the person wants to see."""

    def _answer(self) -> None:
        body = self._body()
        if body is None:
            return
        url = urlsplit(self.path)
        request = Request(self.command, unquote(url.path), parse_qs(url.query), self.headers.get("x-api-key"), body)
        try:
            answer = self.server.application(request)
        except LoseReply:
            self.close_connection = True
            return
        self._send(answer)

    def _body(self) -> bytes | None:
        """Return the request's body; None after answering where it has no usable length."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdecimal()):
            self.send_error(411)
            self.close_connection = True
            return None
        left = int(length)
        if left <= BODY_BYTES:
            return self.rfile.read(left)
        # Read and dropped: closing with unread bytes would reset the connection before the client sees the answer.
        while left > 0 and (dropped := len(self.rfile.read(min(left, _CHUNK_BYTES)))):
            left -= dropped
        self._send(Answer(413, {"error": {"code": "too_large", "message": "body too large"}, "success": False}))
        return None

    def _send(self, answer: Answer) -> None:
        content = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def _end_reading(connection: socket.socket) -> None:
    """Make a thread that waits for the next request see the end, while one that writes an answer can finish."""
    try:
        connection.shutdown(socket.SHUT_RD)
    except OSError:
        logger.debug("a client of the sandbox had gone already")
