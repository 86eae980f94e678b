"""Small working servers for tests. `Scripted` sends exactly the bytes that a test says, right or wrong."""

from __future__ import annotations

import contextlib
import json
import threading
from functools import partial
from typing import TYPE_CHECKING

from tests.listening import Listening

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    Script = Callable[["Scripted", socket.socket], None]


class Scripted(Listening):
    """Reads requests, keeping each one's head in `heads`, and lets `script` answer on the connection.

    The connection is kept alive until the script or the client closes it. `stopping` ends scripts that wait.
    """

    def __init__(self, script: Script) -> None:
        super().__init__()
        self.heads: list[str] = []
        self.connections = 0
        self.stopping = threading.Event()
        self._script = script

    def __exit__(self, *exception: object) -> None:
        self.stopping.set()
        super().__exit__(*exception)

    def accepted(self, connection: socket.socket) -> None:
        self.connections += 1
        self.in_thread(partial(self._serve, connection))

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while self._read_request(connection):
                self._script(self, connection)

    def _read_request(self, connection: socket.socket) -> bool:
        head = b""
        while b"\r\n\r\n" not in head:
            received = connection.recv(65536)
            if not received:
                return False
            head += received
        text, _, body = head.partition(b"\r\n\r\n")
        self.heads.append(text.decode("latin-1"))
        length = next(
            (int(line[15:]) for line in text.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        left = length - len(body)
        while left > 0:
            left -= len(connection.recv(min(left, 65536)))
        return True


def http(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """Return a whole answer with its length told."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def sends(answer: bytes) -> Script:
    """Return a script that answers every request with these bytes."""

    def script(server: Scripted, connection: socket.socket) -> None:
        connection.sendall(answer)

    return script


def success(data: object) -> bytes:
    """Return a documented success."""
    return http(200, json.dumps({"data": data, "success": True}).encode())


def failure(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> bytes:
    """Return a documented failure."""
    return http(status, json.dumps({"error": {"code": code, "message": message}, "success": False}).encode(), headers)
