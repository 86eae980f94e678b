"""A slow link on loopback: a TCP relay whose connections share so many bytes a second, a few at a time to each."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from functools import partial

from tests.listening import Listening

PIECE_BYTES = 2048


class SlowLink(Listening):
    """Passes bytes on to `port` and back; what comes back from there comes at `rate` bytes a second in all."""

    def __init__(self, port: int, rate: float) -> None:
        super().__init__()
        self._port = port
        self._rate = rate
        self._lock = threading.Lock()
        self._free_at = 0.0

    def accepted(self, connection: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._port), timeout=30)
        except OSError:
            connection.close()
            return
        self._open.append(server)
        self.in_thread(partial(self._pass_on, connection, server, is_slow=False))
        self.in_thread(partial(self._pass_on, server, connection, is_slow=True))

    def _pass_on(self, source: socket.socket, target: socket.socket, *, is_slow: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE_BYTES):
                if is_slow:
                    self._await_turn(len(piece))
                target.sendall(piece)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _await_turn(self, size: int) -> None:
        with self._lock:
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + size / self._rate
            wait = self._free_at - now
        time.sleep(wait)
