"""Small working servers for tests. `Scripted` sends exactly the bytes that a test says, right or wrong."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Script = Callable[["Scripted", socket.socket], None]


class Scripted:
    """Reads requests, keeping each one's head in `heads`, and lets `script` answer on the connection.

    The connection is kept alive until the script or the client closes it. `stopping` ends scripts that wait.
    """

    def __init__(self, script: Script) -> None:
        self.heads: list[str] = []
        self.connections = 0
        self.stopping = threading.Event()
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, name="scripted")]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()
        self._listener.close()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), name="scripted connection")
            self._threads.append(thread)
            thread.start()

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
