"""Whether a remote is away, and when one job may try again whether it is back. Pure.

A remote that is away is asked by one job at a time, at growing pauses, whatever waits. What is told of a failure is
whose it may be: one job's own says nothing of the remote, as long as others go through or there is no other.
"""

from __future__ import annotations

import math

from agent.core.retry import BREAKER, OUTAGE_SECONDS

IN_A_ROW = 5
"""Different jobs that fail one after the other, none going through: by chance that is rare, in an outage a moment."""


class Breaker:
    """Closed as long as the remote works; `now` is any monotonic number of seconds."""

    def __init__(self) -> None:
        self.since = 0.0
        self._failed: set[object] = set()
        self._is_open = False
        self._failures = 0
        self._probe: int | None = None
        self._next_at = -math.inf

    @property
    def is_open(self) -> bool:
        """Whether nothing but a probe may leave."""
        return self._is_open

    @property
    def is_troubled(self) -> bool:
        """Whether something has failed since anything went through."""
        return bool(self._failed)

    def is_lasting(self, now: float, seconds: float) -> bool:
        """Tell whether for so long nothing went through, and something failed."""
        return self.is_troubled and now - self.since >= seconds

    def failed(self, job: int, now: float, *, sure: bool = False) -> bool:
        """Take note of a failure; return whether it opens the breaker. `sure`: it cannot be of the job's making."""
        if not self._failed:
            self.since = now
        self._failed.add((job, len(self._failed)) if sure and len(self._failed) < IN_A_ROW else job)
        if self._is_open:
            if job == self._probe:
                self._probe = None  # several of its files may fail in one try
                self._wait(now)
            return False
        lasts = now - self.since >= OUTAGE_SECONDS and len(self._failed) > 1
        if len(self._failed) < IN_A_ROW and not lasts:
            return False
        self._is_open = True
        self._wait(now)
        return True

    def trip(self, job: int, now: float) -> None:
        """Open at once, with the longest pause between probes: the remote has said that it takes nothing."""
        if not self._failed:
            self.since = now
        self._failed.add(job)
        self._is_open = True
        self._next_at = now + BREAKER.longest
        self._failures = 30

    def worked(self) -> None:
        """Close: something went through."""
        self._failed.clear()
        self._is_open = False
        self._failures = 0
        self._probe = None

    def wait(self, now: float) -> float:
        """Return in how many seconds a probe may leave."""
        return max(0.0, self._next_at - now)

    def probes(self, job: int, now: float) -> None:
        """Take note of the job that leaves as a probe. One that comes to nothing is followed by another soon."""
        self._probe = job
        self._next_at = now + BREAKER.seconds()

    def _wait(self, now: float) -> None:
        self._failures += 1
        self._next_at = now + BREAKER.seconds(self._failures)
