"""A TCP relay on loopback that notes which requests pass, and can be slow, cut off, or stay silent."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from typing import Self

REQUEST = re.compile(rb"(GET|HEAD|PUT|POST|DELETE) (/[^ ]*) HTTP/1\.1\r\n(.*?)\r\n\r\n", re.DOTALL)


class Relay:
    """Passes bytes on to `port` unchanged; `requests` holds (method, path, head) of each request that came.

    `delay` is the number of seconds that each request waits. Heads must come whole within one piece, as they do.
    """

    def __init__(self, port: int) -> None:
        self.requests: list[tuple[str, str, str]] = []
        self.delay = 0.0
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, name="relay")]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()
        for connection in (*self._open, self._listener):
            connection.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def paths(self, method: str) -> list[str]:
        """Return the path of every request of a method, without its query."""
        return [path.partition("?")[0] for each, path, _ in self.requests if each == method]

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._port), timeout=30)
            except OSError:
                client.close()
                continue
            self._open += [client, server]
            for source, target, notes in ((client, server, True), (server, client, False)):
                thread = threading.Thread(target=self._pass_on, args=(source, target, notes), name="relay connection")
                self._threads.append(thread)
                thread.start()

    def _pass_on(self, source: socket.socket, target: socket.socket, notes: bool) -> None:
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
