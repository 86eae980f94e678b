"""Has what is ready granted, by this host's own gate or by its fleet, and writes the intents of what is.

A fleet is asked by a thread of its own, one batch at a time: what becomes ready meanwhile is in the next one. Nothing
of it is inside a transaction of the ledger's, and neither the dispatcher nor the ledger waits for it.
"""

from __future__ import annotations

import logging
import math
from functools import partial
from typing import TYPE_CHECKING

from agent.core.grants import Asked, Granted, Say
from agent.core.retry import LEDGER, TAKEN
from agent.errors import FleetUnavailable
from agent.host.workers import DEFECT
from agent.ledger import fleet, jobs
from agent.sending.adoption import IDLE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from agent.core.spend_guard import Limits
    from agent.ledger.writer import LedgerWriter
    from agent.model import Job
    from agent.sending.grantor import Grantor
    from agent.sending.in_flight import InFlight

log = logging.getLogger(__package__)

MOST = 192
"""Jobs that are asked for together: three for each of the most posting workers there can be."""
SOON = 1.0
"""Seconds after which at the latest it is asked again: limits may have changed meanwhile."""
MOST_READY = 1000
"""Jobs that are published ahead while the fleet's database is away."""


class Granting:
    """Takes what is ready, and hands on what may go. `turn` is the dispatcher's thread's.

    `is_quiet` tells of which jobs no event is to tell; `post` sends one, `wake` has the dispatcher look again.
    """

    def __init__(
        self,
        ledger: LedgerWriter,
        grantor: Grantor,
        in_flight: InFlight,
        *,
        limits: Limits,
        monotonic: Callable[[], float],
        is_quiet: Callable[[Job], bool],
        post: Callable[[Job], None],
        wake: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._grantor = grantor
        self._in_flight = in_flight
        self._monotonic = monotonic
        self._is_quiet = is_quiet
        self._post = post
        self._wake = wake
        self._asking = False
        self._ask_at = -math.inf
        self._write_at = -math.inf
        self._taken: dict[int, int] = {}
        self._is_stopped = False
        self.limits = limits

    def stop(self) -> None:
        """Write no intent any more: what is granted from now on is asked for again at the next start."""
        self._is_stopped = True

    def hold_back(self) -> None:
        """Write nothing for a while: the ledger cannot be written."""
        self._write_at = self._monotonic() + LEDGER.seconds()

    def held_back(self) -> float:
        """Return for how many seconds no intent is written, IDLE where one may be now."""
        wait = self._write_at - self._monotonic()
        return wait if wait > 0 else IDLE

    @property
    def idle(self) -> int:
        """How many of the jobs that are ready take no room: while a fleet's database is away files are published on."""
        ready = self._in_flight.ready
        return 0 if self._grantor.is_open or ready >= MOST_READY else ready

    def turn(self) -> float:
        """Have what is ready granted; return seconds until more may be."""
        if self._asking or not self._grantor.is_open:
            return IDLE
        wait = self._ask_at - self._monotonic()
        if wait > 0:
            return wait
        taken = self._in_flight.take(MOST)
        if not taken:
            return IDLE
        self._asking = True
        self._grantor.pool.submit(partial(self._ask, taken))
        return max(0.0, self._ask_at - self._monotonic()) if self._in_flight.ready and not self._asking else IDLE

    def _ask(self, taken: Sequence[Job]) -> None:
        """Ask, and obey (in a thread of the grantor's pool)."""
        try:
            answers = self._grantor.ask([Asked(job.reference_id, len(job.frames)) for job in taken])
        except FleetUnavailable as error:
            self._in_flight.ready_again(taken)
            self._grantor.failed(error)
        except Exception:  # of a defect no job may be lost
            log.exception(DEFECT)
            self._in_flight.ready_again(taken)
            self._ask_at = self._monotonic() + SOON
        else:
            if not self._is_stopped:
                self._obey(taken, {answer.reference_id: answer for answer in answers})
        finally:
            self._asking = False
        if self._grantor.is_shared:
            self._wake()

    def _obey(self, taken: Sequence[Job], answers: dict[str, Granted]) -> None:
        said = [(job, answers.get(job.reference_id) or Granted(job.reference_id, Say.WAIT)) for job in taken]
        going = [job for job, answer in said if answer.say is Say.GO]
        later = [(job, answer) for job, answer in said if answer.say in (Say.WAIT, Say.SHUT)]
        others = [(job, answer, self._again(job, answer)) for job, answer in said if answer.say in NOT_GRANTED]
        if later:
            self._in_flight.ready_again([job for job, _ in later])
            self._ask_at = self._monotonic() + min(SOON, *(answer.seconds or SOON for _, answer in later))
            if any(answer.say is Say.SHUT for _, answer in later):
                self._grantor.is_shut()
        if others:
            work = partial(fleet.not_granted, answers=others)
            self._ledger.submit(work, first=True).add_done_callback(partial(self._ended, [job for job, *_ in others]))
        if going:
            self._intend(going)

    def _again(self, job: Job, answer: Granted) -> float:
        """Return after how many seconds to ask again for a job that another host sends."""
        if answer.say is not Say.TAKEN:
            self._taken.pop(job.id, None)
            return 0.0
        times = self._taken[job.id] = self._taken.get(job.id, 0) + 1
        return min(TAKEN.seconds(times), max(answer.seconds, TAKEN.seconds()))

    def _intend(self, going: Sequence[Job]) -> None:
        """Write the intents of what may go."""
        for job in going:
            self._taken.pop(job.id, None)
        limits = None if self._grantor.is_shared else self.limits
        quiet = all(self._is_quiet(job) for job in going)
        work = partial(jobs.intend, jobs=going, limits=limits, quiet=quiet)
        self._ledger.submit(work, first=True).add_done_callback(partial(self._intended, going))

    def _intended(self, taken: Sequence[Job], future: Future[list[Job]]) -> None:
        """Hand on what may be sent now (in the ledger's thread)."""
        intended = future.result() if future.exception() is None else []
        if future.exception() is not None:
            self.hold_back()
        going = {job.id for job in intended}
        self._in_flight.end(job.id for job in taken if job.id not in going)
        for job in intended:
            self._post(job)
        if len(going) < len(taken):
            self._wake()

    def _ended(self, jobs: Sequence[Job], future: Future[None]) -> None:
        """Let go of what is not sent (in the ledger's thread)."""
        if future.exception() is not None:
            self.hold_back()
        self._in_flight.end(job.id for job in jobs)
        self._wake()


NOT_GRANTED = frozenset({Say.THEIRS, Say.TAKEN, Say.TOMORROW, Say.NEVER})
