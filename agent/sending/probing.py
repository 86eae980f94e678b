"""While the target, or the place of the files, is away: one job at a time is sent, to see whether it is back.

So is it where the account is out of credit, or where none of many files is found at its URL: sending is blocked then,
loudly, and nothing but a job that goes through shows that it has ended.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from agent.ledger import troubles
from agent.publishing import is_outage
from agent.sending.outage import HOUR, Outage, Remote

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from agent.errors import OutOfCredit, TryLater, Unpublished
    from agent.sending.outage import Write
    from agent.targets import Target
    from agent.targets.gate import Gate

log = logging.getLogger(__package__)

MISSING_FILES = 10
"""So many files that are not at their URLs, and none that is, are no accident: nothing is tried with all the others."""
TOLD_AFTER = 20.0
"""Seconds without a file that could be published, after which a person hears of it, be it of one file alone."""


class Probing:
    """The outages of the target and of the place of the files, and the job that is sent meanwhile. Used by any thread.

    `tell` writes why sending is blocked, or ''; `wake` is called when something has changed.
    """

    def __init__(
        self,
        target: Target,
        gate: Gate,
        monotonic: Callable[[], float],
        *,
        write: Write,
        tell: Callable[[str], None],
        wake: Callable[[], None],
    ) -> None:
        self._gate = gate
        self._tell = tell
        self._wake = wake
        name = target.name
        self.target = Outage(
            Remote(
                f"{name} is away: one job at a time is tried, once a minute in the end, and nothing is lost",
                f"{name} is back: sending goes on",
                troubles.target_away,
                troubles.target_back,
                target.is_outage,
            ),
            monotonic,
            write,
            opened=wake,
            closed=self._goes_on,
        )
        self.store = Outage(
            Remote(
                "no file can be published, so no job is sent",
                "files can be published again: sending goes on",
                troubles.unpublished,
                troubles.published,
                is_outage,
                lasts=TOLD_AFTER,
            ),
            monotonic,
            write,
            opened=wake,
            closed=self._goes_on,
        )
        self._lock = threading.Lock()
        self._missing: set[str] = set()
        self._job: int | None = None

    @property
    def is_on(self) -> bool:
        """Whether nothing is sent but a probe."""
        return self.target.is_open or self.store.is_open

    def lets(self, job: int) -> bool:
        """Tell whether a job may go on."""
        return not self.is_on or job == self._job

    def is_probe(self, job: int) -> bool:
        """Tell whether a job is sent as a probe."""
        return job == self._job

    def wait(self, busy: AbstractSet[int]) -> float:
        """Return in how many seconds the next probe may leave; `busy` are the jobs under way."""
        if self._job in busy:
            return HOUR
        return max(self.target.wait(), self.store.wait())

    def begin(self, job: int) -> None:
        """Take note of the job that leaves as a probe."""
        self._job = job
        for outage in (self.target, self.store):
            if outage.is_open:
                outage.probes(job)

    def turn(self) -> float:
        """Tell what is to be told by now; return after how many seconds to look again."""
        if not self.is_on:
            self._job = None
        return min(self.target.turn(), self.store.turn())

    def target_failed(self, job: int, error: TryLater) -> None:
        """Take note of a failure of the target's."""
        self.target.failed(job, error, sure=error.refused)

    def out_of_credit(self, job: int, error: OutOfCredit) -> None:
        """Block sending until a job goes through."""
        # In this order: a job that goes through meanwhile must find what it is to open, or nothing ever would.
        self._block(str(error))
        self.target.trip(job)

    def published(self) -> None:
        """Take note of a file that could be published."""
        if self._missing:
            self._missing.clear()
        self.store.worked()

    def not_published(self, job: int, file: str, error: Unpublished) -> None:
        """Take note of a file that could not be; where none of many is at its URL, block sending until one is."""
        self.store.failed(job, error)
        if not error.is_missing:
            return
        self._missing.add(file)
        if len(self._missing) >= MISSING_FILES and not self._gate.blocked:
            self._block(f"none of {MISSING_FILES} files is found where they are published: {error}")
            self.store.trip(job)

    def _block(self, reason: str) -> None:
        with self._lock:
            if self._gate.blocked:
                return
            self._gate.block(reason, lets_probes=True)
        log.error("sending is stopped, nothing is lost: %s", reason)
        self._tell(reason)

    def _goes_on(self) -> None:
        if self._gate.lets_probes and not self.is_on:
            log.warning("a job went through: sending goes on")
            self._gate.block("")
            self._tell("")
        self._wake()
