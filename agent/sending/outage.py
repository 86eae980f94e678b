"""Tells when Playment is back after it was away: what waits then goes at once, in order, not when its back-off ends."""

from __future__ import annotations

import threading

LONG_ENOUGH = 30.0
"""Seconds of nothing but failures that count as an outage; shorter trouble is left to each job's back-off."""

CODES = ("connection", "timeout", "bad-reply", "FS_0000", "FS_0008", "api_error")
"""Failures that are not the job's, beside every HTTP status from 500 on (`http-5…`)."""


class Outage:
    """Counts the jobs that fail while none is accepted. Used by any thread; `now` is in monotonic seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failed: set[int] = set()
        self._since = 0.0

    def failed(self, job: int, code: str, now: float) -> None:
        """Take note of a failure, where its code is Playment's and not the job's."""
        if code not in CODES and not code.startswith("http-5"):
            return
        with self._lock:
            if not self._failed:
                self._since = now
            self._failed.add(job)

    def is_over(self, now: float) -> bool:
        """Take note of a job that was accepted; return whether that ends an outage of more than one job."""
        with self._lock:
            over = len(self._failed) > 1 and now - self._since >= LONG_ENOUGH
            self._failed.clear()
            return over
