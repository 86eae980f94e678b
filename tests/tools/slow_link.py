"""A slow link on loopback: a TCP relay whose connections share so many bytes a second, a few at a time to each."""

from __future__ import annotations

import threading
import time

from tests.relay import PassingOn


class SlowLink(PassingOn):
    """Passes bytes on to `port` and back; what comes back from there comes at `rate` bytes a second in all.

    The first `brisk` bytes come at three times the rate.
    """

    piece_bytes = 2048

    def __init__(self, port: int, rate: float, brisk: float = 0.0) -> None:
        super().__init__(port)
        self._rate = rate
        self._brisk = brisk
        self._lock = threading.Lock()
        self._free_at = 0.0

    def passes(self, piece: bytes, *, is_answer: bool) -> None:
        """Keep a piece of an answer until it is its turn."""
        if not is_answer:
            return
        with self._lock:
            now = time.monotonic()
            rate = self._rate if self._brisk <= 0 else 3 * self._rate
            self._brisk -= len(piece)
            self._free_at = max(self._free_at, now) + len(piece) / rate
            wait = self._free_at - now
        time.sleep(wait)
