"""Claim → publish → probe → post → outcome: takes pending jobs from the ledger to Playment, each exactly once.

A dispatcher thread reads what is due, has it published and probed by its own workers, writes the intents of all that
are ready in one transaction, and hands them to the posting workers. No worker waits for a commit: outcomes go to the
ledger's thread, and a job counts as in flight until its outcome is committed.
"""

from __future__ import annotations

import logging
import math
import random
import threading
from collections import deque
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from agent.core.retry import Verdict
from agent.core.states import State
from agent.errors import (
    AccessRefused,
    DuplicateReference,
    FileChanged,
    FolderUnavailable,
    LedgerUnavailable,
    RemoteError,
    TryLater,
)
from agent.host.clock import ClockSteps
from agent.ledger import jobs, lookups
from agent.ledger.units import with_sources
from agent.ledger.writer import Each
from agent.sending.access import Access
from agent.sending.admission import Stopped, put_off_beyond_limit
from agent.sending.adoption import Adoption
from agent.sending.outage import Outage
from agent.sending.outcomes import LEDGER_RETRY, Outcomes
from agent.sending.publication import Publication
from agent.sending.unchanged import changed_meanwhile, first_changed
from agent.targets.playment.body import body

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from agent.host.workers import Pools
    from agent.ledger.due import Candidate
    from agent.ledger.reads import Reads
    from agent.ledger.store import Ledger
    from agent.ledger.writer import LedgerWriter
    from agent.model import Job
    from agent.sending.context import SendingContext
    from agent.targets.gate import Gate

log = logging.getLogger(__package__)

AHEAD = 3
"""Jobs claimed for each posting worker, so that none waits for a commit."""
IDLE = 3600.0
DEFECT = "a defect in playment-agent; please report it"


class Submitter:
    """Sends from `start` until `close`. `reads` are the dispatcher's own."""

    def __init__(self, context: SendingContext, ledger: LedgerWriter, reads: Reads, gate: Gate, pools: Pools) -> None:
        self._context = context
        self._ledger = ledger
        self._reads = reads
        self._gate = gate
        self._posting = pools.posting
        self._publishing = pools.publishing
        self._limit_posting = AHEAD * pools.posting.count
        self._limit_publishing = AHEAD * (pools.publishing if Publication.waits(context) else pools.posting).count
        self._wake = threading.Condition()
        self._woken = True
        self._stopping = False
        self._publishing_ids: set[int] = set()
        self._posting_ids: set[int] = set()
        self._ready: deque[Job] = deque()
        self._outcomes = Outcomes(ledger, context.monotonic, self.wake)
        self._outage = Outage()
        self._access = Access(context.playment, context.publisher, gate, context.monotonic, self._tell_blocked)
        self._not_before = -math.inf
        self._clock_steps = ClockSteps(context.now, context.monotonic)
        self._random = random.Random()  # noqa: S311 (jitter and samples, no secrets)
        self._publication = Publication(
            context, gate, pools.publishing, self._random, self._published, recent=ledger.recent
        )
        self._adoption = Adoption(context, ledger, gate, access=self._access, worker=pools.looking, done=self.wake)
        self._thread = threading.Thread(target=self._run, name="dispatch")

    def start(self) -> None:
        """Take turns in a thread of its own."""
        self._thread.start()

    def wake(self) -> None:
        """Look for work now: something in the ledger has changed."""
        with self._wake:
            self._woken = True
            self._wake.notify()

    def in_flight(self) -> int:
        """Return how many jobs are being published, posted, looked up or written."""
        return len(self._publishing_ids) + len(self._posting_ids) + self._adoption.running

    def close(self, seconds: float) -> bool:
        """Finish what is in flight, for `seconds` at most; return whether all of it was."""
        self._stopping = True
        self._gate.stop()
        self.wake()
        self._thread.join()
        deadline = self._context.monotonic() + seconds
        clean = [
            pool.close(max(0.0, deadline - self._context.monotonic())) for pool in (self._publishing, self._posting)
        ]
        clean.append(self._adoption.close(max(0.0, deadline - self._context.monotonic())))
        self._outcomes.flush()
        return all(clean)

    def _run(self) -> None:
        while not self._stopping:
            try:
                wait = self.turn()
            except LedgerUnavailable as error:
                log.error("the ledger: %s; trying again in %d s", error, LEDGER_RETRY)  # noqa: TRY400 (a sentence, no defect)
                wait = LEDGER_RETRY
            except Exception:
                log.exception(DEFECT)
                wait = LEDGER_RETRY
            with self._wake:
                if not self._woken:
                    self._wake.wait(wait)
                self._woken = False

    def turn(self) -> float:
        """Do what can be done now; return after how many seconds to look again unless woken."""
        waits = [self._outcomes.again() or IDLE, self._not_before_wait()]
        if self._gate.blocked:
            waits.append(self._access.turn(self._publishing))
        self._mind_the_clock()
        if self._gate.is_shut:
            self._put_back()
            return min(waits)
        if self._not_before_wait() < IDLE:
            return min(waits)
        busy = self._publishing_ids | self._posting_ids
        room = min(self._limit_publishing - len(self._publishing_ids), self._limit_posting - len(self._posting_ids))
        if room > min(self._limit_publishing, self._limit_posting) // 2 or (room and not self._posting_ids):
            put_off_beyond_limit(self._context, self._ledger, self._reads)
            for candidate in self._publication.due(self._reads, room, busy):
                self._publishing_ids.add(candidate.job.id)
                self._publication.begin(candidate)
        if self._ready:
            waits.append(self._claim())
        soonest = self._reads.next_due(self._publishing_ids | self._posting_ids, lookup=False)
        seconds = (soonest - self._context.now()).total_seconds() if soonest else IDLE
        idle = not self._publishing_ids and not self._posting_ids
        waits.append(self._adoption.turn(self._reads, idle=idle and seconds > 0))
        if seconds > 0 or idle:
            waits.append(max(seconds, 0.05))
        return min(waits)

    def _not_before_wait(self) -> float:
        """Return for how many seconds no intent is written, IDLE where one may be now."""
        wait = self._not_before - self._context.monotonic()
        return wait if wait > 0 else IDLE

    def _put_back(self) -> None:
        """Let go of the jobs that were ready: nothing may leave, and nobody knows for how long."""
        while self._ready:
            self._publishing_ids.discard(self._ready.popleft().id)

    def _mind_the_clock(self) -> None:
        """Take up at once what would else wait for a time that has become far: the clock was set back."""
        seconds = self._clock_steps.seconds()
        if seconds:
            log.warning("the clock was set back by %d s: what waits is taken up now", seconds)
            self._ledger.submit(jobs.clock_set_back).add_done_callback(lambda _future: self.wake())

    def _published(self, candidate: Candidate, job: Job | None, error: Exception | None) -> None:
        """Take note that a job can be sent, or of what stood in the way."""
        tries = candidate.job.attempts + 1
        match error:
            case None if job is not None:
                self._ready.append(job)
            case None:
                self._publishing_ids.discard(candidate.job.id)
            case Stopped():
                told = partial(self._context.on_changed, candidate.job.path, candidate.job.kind)
                self._write(candidate.job.id, error.work, told)
            case FileChanged():
                self._unsettle(candidate.job, str(error))
            case RemoteError():
                self._failed(candidate.job, error, tries=tries)
            case LedgerUnavailable():
                self._not_before = self._context.monotonic() + LEDGER_RETRY
                self._publishing_ids.discard(candidate.job.id)
            case _:
                log.error(DEFECT, exc_info=error)
                self._failed(candidate.job, _defect(error), tries=tries)
        self.wake()

    def _claim(self) -> float:
        """Write the intents of all jobs that are ready, as far as the rate allows; return seconds until more may."""
        count, wait = self._gate.starts(len(self._ready))
        taken = [self._ready.popleft() for _ in range(count)]
        if taken:
            for job in taken:
                self._posting_ids.add(job.id)
                self._publishing_ids.discard(job.id)
            future = self._ledger.submit(partial(jobs.intend, jobs=taken, limits=self._context.limits), first=True)
            future.add_done_callback(partial(self._intended, taken))
        return wait if self._ready else IDLE

    def _intended(self, taken: Sequence[Job], future: Future[list[Job]]) -> None:
        intended = future.result() if future.exception() is None else []
        if future.exception() is not None:
            self._not_before = self._context.monotonic() + LEDGER_RETRY
        going = {job.id for job in intended}
        self._posting_ids.difference_update(job.id for job in taken if job.id not in going)
        for job in intended:
            self._posting.submit(partial(self._post, job))
        if len(going) < len(taken):
            self.wake()

    def _post(self, job: Job) -> None:
        """Send one job, and have written what became of it."""
        try:
            if not self._gate.enter():
                later = Verdict(State.PENDING, "not sent yet", "", nothing_made=True, delay=0.0)
                self._write(job.id, partial(jobs.put_off, job=job.id, decided=later))
                return
            changed = first_changed(self._context, job)
            if changed is not None:
                self._publication.unsettled(job)
                self._unsettle(job, f"{changed} changed before it was sent")
                return
            job_id = self._context.playment.create_job(body(self._addressed(job)))
        except DuplicateReference as error:
            self._write(job.id, partial(lookups.in_use, job=job.id, reason=str(error)))
        except FolderUnavailable as error:
            self._failed(job, TryLater(str(error), code="folder", refused=True), tries=job.attempts)
        except RemoteError as error:
            self._failed(job, error, tries=job.attempts)
        except Exception as error:
            log.exception(DEFECT)
            self._failed(job, _defect(error), tries=job.attempts)
        else:
            self._write(job.id, Each(jobs.accept_all, (job.id, job_id)))
            if self._outage.is_over(self._context.monotonic()):
                self._outcomes.write(jobs.outage_over)
            log.info("submitted %s as %s, frames: %d", job.reference_id, job_id, len(job.frames))
            if changed_meanwhile(self._context, job):
                self._context.on_changed(job.path, job.kind)

    def _addressed(self, job: Job) -> Job:
        """Return the job with the URLs that it is sent with: they may be signed, and are not kept."""
        addresses = [self._context.publisher.address(frame.src or "") for frame in job.frames]
        if addresses == [frame.src for frame in job.frames]:
            return job
        return replace(job, frames=with_sources(job.frames, addresses))

    def _unsettle(self, job: Job, reason: str) -> None:
        told = partial(self._context.on_changed, job.path, job.kind)
        self._write(job.id, partial(jobs.unsettled, job=job.id, reason=reason), told)

    def _failed(self, job: Job, error: RemoteError, *, tries: int) -> None:
        if isinstance(error, AccessRefused):
            error = self._access.judge(error)
        if isinstance(error, TryLater) and error.retry_after:
            self._gate.hold(error.retry_after)
        self._outage.failed(job.id, error.code, self._context.monotonic())
        level = logging.INFO if isinstance(error, TryLater) else logging.WARNING
        log.log(level, "%s: %s", job.reference_id, error)
        chance = self._random.random()
        self._write(job.id, partial(jobs.failed, job=job.id, error=error, tries=tries, random=chance))

    def _tell_blocked(self, reason: str) -> None:
        self._outcomes.write(lambda ledger: ledger.put(blocked=reason))

    def _write(self, job: int, work: Callable[[Ledger], object], then: Callable[[], None] = lambda: None) -> None:
        """Have an outcome written; the job is in flight until it is committed.

        `then` is called after the commit: whoever looks at the row because of it must not see it as it was.
        """

        def written() -> None:
            self._posting_ids.discard(job)
            self._publishing_ids.discard(job)
            then()

        self._outcomes.write(work, written)


def _defect(error: Exception) -> TryLater:
    """Return what a defect of ours means for its job: it waits as after any failure, and holds up no other."""
    return TryLater(f"a defect in playment-agent, told in its log ({type(error).__name__})", code="defect")
