"""A TCP relay on loopback that notes which requests pass, and can be slow, cut off, or stay silent."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from functools import partial

from tests.listening import Listening

REQUEST = re.compile(rb"(GET|HEAD|PUT|POST|DELETE) (/[^ ]*) HTTP/1\.1\r\n(.*?)\r\n\r\n", re.DOTALL)


class Relay(Listening):
    """Passes bytes on to `port` unchanged; `requests` holds (method, path, head) of each request that came.

    `delay` is the number of seconds that each request waits. Heads must come whole within one piece, as they do.
    """

    def __init__(self, port: int) -> None:
        super().__init__()
        self.requests: list[tuple[str, str, str]] = []
        self.delay = 0.0
        self._port = port

    def paths(self, method: str) -> list[str]:
        """Return the path of every request of a method, without its query."""
        return [path.partition("?")[0] for each, path, _ in self.requests if each == method]

    def accepted(self, connection: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._port), timeout=30)
        except OSError:
            connection.close()
            return
        self._open.append(server)
        self.in_thread(partial(self._pass_on, connection, server, notes=True))
        self.in_thread(partial(self._pass_on, server, connection, notes=False))

    def _pass_on(self, source: socket.socket, target: socket.socket, *, notes: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(1 << 20):
                if notes:
                    for method, path, head in REQUEST.findall(piece):
                        self.requests.append((method.decode(), path.decode(), head.decode("latin-1").lower()))
                        time.sleep(self.delay)
                target.sendall(piece)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
