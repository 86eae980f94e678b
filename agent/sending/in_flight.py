"""Which jobs are under way, from the moment they are begun until what became of them is committed."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from agent.model import Job


AHEAD = 4
"""Jobs claimed for each posting worker, refilled at half of them: while two commits last, none waits for a job.

Of 64 workers at 50 ms 3, counted until what became of each was committed, gave 0.90 of a bare pool's rate on a quiet
machine, 0.96 beside others; 4 that count until it is known 0.93 and 1.03 (medians, in turn); more are no faster.
"""


class InFlight:
    """The jobs that are being published, are ready to be sent, or are being sent. Used by any thread, under one lock.

    Those that are ready count as being published: nothing of them has left yet. `most` are claimed for so many posting
    `workers`; `is_low` is called when there is room for half of these.
    """

    def __init__(self, workers: int, is_low: Callable[[], None]) -> None:
        self.most = AHEAD * workers
        self._is_low = is_low
        self._lock = threading.Lock()
        self._publishing: set[int] = set()
        self._posting: set[int] = set()
        self._known: set[int] = set()
        self._ready: deque[Job] = deque()

    @property
    def publishing(self) -> int:
        """How many jobs are being published, or are ready."""
        return len(self._publishing)

    @property
    def posting(self) -> int:
        """How many jobs are being sent, or have what became of them written."""
        return len(self._posting)

    @property
    def room(self) -> int:
        """How many more may be claimed, less than 0 where it was too many.

        What waits to be written takes room only where there is as much of it, too: the ledger may be slow, or full.
        """
        return self.most - max(self._unknown, len(self._posting) - self.most)

    @property
    def _unknown(self) -> int:
        return len(self._posting) - len(self._known)

    @property
    def ready(self) -> int:
        """How many jobs are ready to be sent."""
        return len(self._ready)

    def all(self) -> frozenset[int]:
        """Return the ids of all that is under way."""
        with self._lock:
            return frozenset(self._publishing | self._posting)

    def begin(self, job: int) -> None:
        """Take note of a job that is being published from now on."""
        with self._lock:
            self._publishing.add(job)

    def is_ready(self, job: Job) -> None:
        """Take note of a job that can be sent."""
        with self._lock:
            self._ready.append(job)

    def take(self, count: int) -> list[Job]:
        """Return the first jobs that are ready: they count as being sent from now on."""
        with self._lock:
            taken = [self._ready.popleft() for _ in range(min(count, len(self._ready)))]
            self._posting.update(job.id for job in taken)
            self._publishing.difference_update(job.id for job in taken)
            return taken

    def ready_again(self, jobs: Sequence[Job]) -> None:
        """Take note that jobs which were taken are ready still, before all others."""
        with self._lock:
            self._ready.extendleft(reversed(jobs))
            self._publishing.update(job.id for job in jobs)
            self._posting.difference_update(job.id for job in jobs)

    def put_back(self, lets: Callable[[int], bool] = lambda _job: False) -> None:
        """Let go of the jobs that are ready, but for those that `lets` lets go on."""
        with self._lock:
            self._publishing.difference_update(job.id for job in self._ready if not lets(job.id))
            self._ready = deque(job for job in self._ready if lets(job.id))

    def is_known(self, job: int) -> None:
        """Take note of a job that has what became of it written."""
        with self._lock:
            if job not in self._posting:
                return
            self._known.add(job)
            is_low = self._unknown == self.most // 2
        if is_low:
            self._is_low()

    def end(self, jobs: Iterable[int]) -> None:
        """Take note of jobs that are under way no more."""
        with self._lock:
            self._publishing.difference_update(jobs := tuple(jobs))
            self._posting.difference_update(jobs)
            self._known.difference_update(jobs)
