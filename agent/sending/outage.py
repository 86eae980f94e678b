"""Tells when the target is back after it was away: what waits then goes at once and in order, whatever its back-off."""

from __future__ import annotations

import threading

from agent.core.retry import OUTAGE_SECONDS


class Outage:
    """Counts the jobs that fail while none is accepted. Used by any thread; `now` is in monotonic seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failed: set[int] = set()
        self._since = 0.0

    def failed(self, job: int, now: float) -> None:
        """Take note of a failure that is the target's and not the job's."""
        with self._lock:
            if not self._failed:
                self._since = now
            self._failed.add(job)

    def is_over(self, now: float) -> bool:
        """Take note of a job that was accepted; return whether that ends an outage of more than one job."""
        with self._lock:
            over = len(self._failed) > 1 and now - self._since >= OUTAGE_SECONDS
            self._failed.clear()
            return over
