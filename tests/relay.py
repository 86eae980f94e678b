"""TCP relays on loopback: one that others are made of, and one that notes which requests pass, and can be slow."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from functools import partial

from tests.listening import Listening

REQUEST = re.compile(rb"(GET|HEAD|PUT|POST|DELETE) (/[^ ]*) HTTP/1\.1\r\n(.*?)\r\n\r\n", re.DOTALL)


class PassingOn(Listening):
    """Passes bytes on to `port` and back, and tells `passes` of each piece before it goes on."""

    piece_bytes = 1 << 20

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    def passes(self, piece: bytes, *, is_answer: bool) -> None:
        """Take note of a piece, or keep it waiting."""
        raise NotImplementedError

    def accepted(self, connection: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._port), timeout=30)
        except OSError:
            connection.close()
            return
        self._open.append(server)
        self.in_thread(partial(self._pass_on, connection, server, is_answer=False))
        self.in_thread(partial(self._pass_on, server, connection, is_answer=True))

    def _pass_on(self, source: socket.socket, target: socket.socket, *, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(self.piece_bytes):
                self.passes(piece, is_answer=is_answer)
                target.sendall(piece)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class Relay(PassingOn):
    """Passes bytes on to `port` unchanged; `requests` holds (method, path, head) of each request that came.

    `delay` is the number of seconds that each request waits. Heads must come whole within one piece, as they do.
    """

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.requests: list[tuple[str, str, str]] = []
        self.delay = 0.0

    def paths(self, method: str) -> list[str]:
        """Return the path of every request of a method, without its query."""
        return [path.partition("?")[0] for each, path, _ in self.requests if each == method]

    def passes(self, piece: bytes, *, is_answer: bool) -> None:
        """Note the requests in a piece that goes to `port`, and keep it for their delay."""
        for method, path, head in () if is_answer else REQUEST.findall(piece):
            self.requests.append((method.decode(), path.decode(), head.decode("latin-1").lower()))
            time.sleep(self.delay)
