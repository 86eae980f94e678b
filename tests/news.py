"""Who takes news in tests: a web server and a mail server on loopback, and what they were told."""

from __future__ import annotations

import contextlib
import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class Receiver:
    """What came, in its order, each as its title and its text; `status` is answered, or nothing while it `hangs`."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.status = 200
        self.hangs = threading.Event()
        self.over = threading.Event()
        self.tries = 0
        self.port = 0

    @property
    def titles(self) -> list[str]:
        """The titles, each without who tells."""
        return [each["title"].partition(": ")[2] for each in self.told]

    @property
    def text(self) -> str:
        """All texts."""
        return "\n".join(each["message"] for each in self.told)


@contextlib.contextmanager
def web() -> Iterator[Receiver]:
    """Give a server for `json://127.0.0.1:PORT/…`."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            receiver.tries += 1
            if receiver.hangs.is_set():
                receiver.over.wait(60)
            if receiver.status == 200:
                receiver.told.append({**body, "path": self.path})
            with contextlib.suppress(OSError):
                self.send_response(receiver.status)
                self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with _served(ThreadingHTTPServer(("127.0.0.1", 0), Handler), receiver):
        yield receiver


@contextlib.contextmanager
def mail() -> Iterator[Receiver]:
    """Give a mail server for `mailto://127.0.0.1:PORT?…`: a message is told as what came between DATA and its end."""
    receiver = Receiver()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 loopback")
            while line := self.rfile.readline().decode().strip():
                word = line[:4].upper()
                if word == "DATA":
                    self._say("354 go on")
                    lines = []
                    while (piece := self.rfile.readline()) != b".\r\n":
                        lines.append(piece)
                    receiver.told.append({"title": "", "message": b"".join(lines).decode()})
                self._say("221 bye" if word == "QUIT" else "250 fine")

        def _say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

    with _served(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler), receiver):
        yield receiver


@contextlib.contextmanager
def _served(server: ThreadingHTTPServer | socketserver.ThreadingTCPServer, receiver: Receiver) -> Iterator[None]:
    """Have a server answer, at the receiver's port, until the block ends."""
    with server:
        server.daemon_threads = True
        receiver.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            receiver.over.set()
            server.shutdown()
            thread.join()
