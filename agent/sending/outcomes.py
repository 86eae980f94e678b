"""Has written what became of each job, however long a full disk takes."""

from __future__ import annotations

import logging
import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from agent.core.retry import LEDGER
from agent.errors import LedgerUnavailable
from agent.host.workers import DEFECT

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from agent.ledger.store import Ledger
    from agent.ledger.writer import LedgerWriter

log = logging.getLogger(__package__)


class Outcomes:
    """Hands outcomes to the ledger's thread, and those that could not be written again. Used by any thread.

    `monotonic` gives seconds; `wake` is called after every commit, and where one has failed.
    """

    def __init__(self, ledger: LedgerWriter, monotonic: Callable[[], float], wake: Callable[[], None]) -> None:
        self._ledger = ledger
        self._monotonic = monotonic
        self._wake = wake
        self._unwritten: deque[tuple[Callable[[Ledger], object], Callable[[], None]]] = deque()
        self._again_at = 0.0
        self._lock = threading.Lock()

    def write(self, work: Callable[[Ledger], object], then: Callable[[], None] = lambda: None) -> None:
        """Have `work` done in a transaction; `then` is called after the commit, or where `work` itself is at fault."""
        self._ledger.submit(work, first=True).add_done_callback(partial(self._written, work, then))

    def again(self) -> float | None:
        """Try what could not be written, every few seconds; return seconds until the next time, None: all is."""
        with self._lock:
            if not self._unwritten:
                return None
            wait = self._again_at - self._monotonic()
            if wait > 0:
                return wait
            self._again_at = self._monotonic() + LEDGER.seconds()
        self.flush()
        return LEDGER.seconds()

    def flush(self) -> None:
        """Try now what could not be written."""
        with self._lock:
            unwritten, self._unwritten = self._unwritten, deque()
        for work, then in unwritten:
            self.write(work, then)

    def _written(self, work: Callable[[Ledger], object], then: Callable[[], None], future: Future[object]) -> None:
        error = future.exception()
        if isinstance(error, LedgerUnavailable):
            with self._lock:
                if not self._unwritten:
                    self._again_at = self._monotonic() + LEDGER.seconds()
                self._unwritten.append((work, then))
        else:
            if error is not None:
                log.error(DEFECT, exc_info=error)
            then()
        self._wake()
