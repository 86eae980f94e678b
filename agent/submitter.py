"""Claim → publish → probe → post → outcome: takes pending jobs from the ledger to Playment, each exactly once.

A dispatcher thread reads what is due, has it published and probed by its own workers, writes the intents of all that
are ready in one transaction, and hands them to the posting workers. No worker waits for a commit: outcomes go to the
ledger's thread, and a job counts as in flight until its outcome is committed.
"""

from __future__ import annotations

import logging
import random
import sqlite3
import threading
from collections import deque
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from agent.access import Access
from agent.adoption import Adoption
from agent.errors import (
    AccessRefused,
    DuplicateReference,
    FolderUnavailable,
    LedgerUnavailable,
    RemoteError,
    TryLater,
)
from agent.ledger import jobs
from agent.model import basename, parent
from agent.payload import body
from agent.publishers.probe import sample
from agent.states import State, Verdict, verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from agent.gate import Gate
    from agent.ledger.jobs import Candidate
    from agent.ledger.store import Ledger, LedgerThread
    from agent.model import Frame, Job
    from agent.rig import Rig
    from agent.workers import Pools

log = logging.getLogger(__name__)

AHEAD = 3
"""Jobs claimed for each posting worker, so that none waits for a commit."""
LEDGER_RETRY = 2.0
IDLE = 3600.0


class Submitter:
    """Sends from `start` until `close`. `reads` is a connection of its own for the dispatcher."""

    def __init__(self, rig: Rig, ledger: LedgerThread, reads: sqlite3.Connection, gate: Gate, pools: Pools) -> None:
        self._rig = rig
        self._ledger = ledger
        self._reads = reads
        self._gate = gate
        self._posting = pools.posting
        self._publishing = pools.publishing
        self._limit_posting = AHEAD * pools.posting.count
        self._limit_publishing = AHEAD * pools.publishing.count
        self._wake = threading.Condition()
        self._woken = True
        self._stopping = False
        self._publishing_ids: set[int] = set()
        self._posting_ids: set[int] = set()
        self._ready: deque[Job] = deque()
        self._unwritten: deque[tuple[int, Callable[[Ledger], object], Callable[[], None]]] = deque()
        self._access = Access(rig.playment, gate, rig.monotonic, self._tell_blocked)
        self._not_before = 0.0
        self._random = random.Random()  # noqa: S311 (jitter and samples, no secrets)
        self._adoption = Adoption(rig, ledger, gate, pools.looking, self.wake)
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
        deadline = self._rig.monotonic() + seconds
        clean = [pool.close(max(0.0, deadline - self._rig.monotonic())) for pool in (self._publishing, self._posting)]
        clean.append(self._adoption.close(max(0.0, deadline - self._rig.monotonic())))
        for _, work, _ in self._unwritten:
            self._ledger.submit(work)
        return all(clean)

    def _run(self) -> None:
        while not self._stopping:
            try:
                wait = self.turn()
            except (LedgerUnavailable, sqlite3.Error) as error:
                log.error("the ledger: %s; trying again in %d s", error, LEDGER_RETRY)  # noqa: TRY400 (a sentence, no defect)
                wait = LEDGER_RETRY
            except Exception:
                log.exception("a defect in playment-agent; please report it")
                wait = LEDGER_RETRY
            with self._wake:
                if not self._woken:
                    self._wake.wait(wait)
                self._woken = False

    def turn(self) -> float:
        """Do what can be done now; return after how many seconds to look again unless woken."""
        waits = [IDLE]
        if self._unwritten:
            self._write_again()
            waits.append(LEDGER_RETRY)
        if self._gate.blocked:
            waits.append(self._access.look_for_recovery())
        ledger_wait = self._not_before - self._rig.monotonic()
        if self._gate.is_shut or ledger_wait > 0:
            return min(*waits, ledger_wait if ledger_wait > 0 else IDLE)  # whoever opens the gate wakes this up
        busy = self._publishing_ids | self._posting_ids
        room = min(self._limit_publishing - len(self._publishing_ids), self._limit_posting - len(self._posting_ids))
        if room > self._limit_posting // 2 or (room and not self._posting_ids):
            for candidate in jobs.due(self._reads, self._rig.now(), room, busy, self._rig.terms):
                self._publishing_ids.add(candidate.job.id)
                self._prepare(candidate)
        if self._ready:
            waits.append(self._claim())
        soonest = jobs.next_due(self._reads, self._publishing_ids | self._posting_ids, lookup=False)
        seconds = (soonest - self._rig.now()).total_seconds() if soonest else IDLE
        idle = not self._publishing_ids and not self._posting_ids
        waits.append(self._adoption.turn(self._reads, idle=idle))
        if seconds > 0 or idle:
            waits.append(max(seconds, 0.05))
        return min(waits)

    # Publishing and probing

    def _prepare(self, candidate: Candidate) -> None:
        """Give a job its URLs and batch; where that needs no network, at once."""
        name = None if candidate.frozen else self._rig.batch_name(candidate.job.path)
        if self._rig.probe is None and name is None:
            self._publish(candidate, name)
        else:
            self._publishing.submit(partial(self._publish, candidate, name))

    def _publish(self, candidate: Candidate, batch_name: str | None) -> None:
        job = candidate.job
        try:
            if not candidate.frozen:
                sources = [self._rig.publisher.source(frame.path, frame.digest) for frame in job.frames]
                job = replace(job, frames=jobs.with_sources(job.frames, sources))
            if batch_name is not None:
                job = replace(job, batch_id=self._rig.batches.resolve(batch_name))
            if self._rig.probe is not None:
                for frame in self._sampled(job.frames):
                    if not self._gate.enter():
                        self._publishing_ids.discard(job.id)
                        return
                    assert frame.src is not None
                    self._rig.probe.check(frame.src, frame.stamp.size)
        except RemoteError as error:
            self._failed(job, error, tries=job.attempts + 1)
        else:
            self._ready.append(job)
            self.wake()

    def _sampled(self, frames: Sequence[Frame]) -> Sequence[Frame]:
        if self._rig.probe_all:
            return frames
        return [frames[position] for position in sample(len(frames), self._random)]

    # Intent

    def _claim(self) -> float:
        """Write the intents of all jobs that are ready, as far as the rate allows; return seconds until more may."""
        count, wait = self._gate.starts(len(self._ready))
        taken = [self._ready.popleft() for _ in range(count)]
        if taken:
            for job in taken:
                self._posting_ids.add(job.id)
                self._publishing_ids.discard(job.id)
            future = self._ledger.submit(partial(jobs.intend, jobs=taken))
            future.add_done_callback(partial(self._intended, taken))
        return wait if self._ready else IDLE

    def _intended(self, taken: Sequence[Job], future: Future[list[Job]]) -> None:
        intended = future.result() if future.exception() is None else []
        if future.exception() is not None:
            self._not_before = self._rig.monotonic() + LEDGER_RETRY
        going = {job.id for job in intended}
        self._posting_ids.difference_update(job.id for job in taken if job.id not in going)
        for job in intended:
            self._posting.submit(partial(self._post, job))
        if len(going) < len(taken):
            self.wake()

    # Posting

    def _post(self, job: Job) -> None:
        """Send one job, and have written what became of it."""
        try:
            if not self._gate.enter():
                later = Verdict(State.PENDING, "not sent yet", "", nothing_made=True, delay=0.0)
                self._write(job.id, partial(jobs.put_off, job=job.id, verdict=later))
                return
            changed = self._changed(job)
            if changed is not None:
                reason = f"{changed} changed before it was sent"
                told = partial(self._rig.on_changed, job.path, job.kind)
                self._write(job.id, partial(jobs.unsettled, job=job.id, reason=reason), told)
                return
            job_id = self._rig.playment.create_job(body(job))
        except DuplicateReference as error:
            self._write(job.id, partial(jobs.in_use, job=job.id, reason=str(error)))
        except FolderUnavailable as error:
            self._failed(job, TryLater(str(error), code="folder", refused=True), tries=job.attempts)
        except RemoteError as error:
            self._failed(job, error, tries=job.attempts)
        else:
            self._write(job.id, partial(jobs.accepted, job=job.id, job_id=job_id))
            log.info("submitted %s as %s, frames: %d", job.reference_id, job_id, len(job.frames))
            if self._changed_meanwhile(job):
                self._rig.on_changed(job.path, job.kind)

    def _changed(self, job: Job) -> str | None:
        """Return the name of a file that is not as it was settled."""
        folder = parent(job.frames[0].path)
        return self._rig.scanner.first_changed(folder, ((basename(f.path), f.stamp) for f in job.frames))

    def _changed_meanwhile(self, job: Job) -> bool:
        try:
            return self._changed(job) is not None
        except FolderUnavailable:
            return True  # the unit is looked at again as soon as its folder can be

    def _failed(self, job: Job, error: RemoteError, *, tries: int) -> None:
        if isinstance(error, AccessRefused):
            error = self._access.judge(error)
        if isinstance(error, TryLater) and error.retry_after:
            self._gate.hold(error.retry_after)
        level = logging.INFO if isinstance(error, TryLater) else logging.WARNING
        log.log(level, "%s: %s", job.reference_id, error)
        self._write(job.id, partial(self._put_off, job=job.id, error=error, tries=tries))

    def _put_off(self, ledger: Ledger, *, job: int, error: RemoteError, tries: int) -> None:
        seconds, others = jobs.trying_for(ledger, job)
        decided = verdict(
            error,
            attempts=tries,
            trying_for=seconds,
            others_succeed=others,
            random=self._random.random(),
        )
        jobs.put_off(ledger, job, decided)

    # Writing

    def _tell_blocked(self, reason: str) -> None:
        self._ledger.submit(lambda ledger: ledger.put(blocked=reason))

    def _write(self, job: int, work: Callable[[Ledger], object], then: Callable[[], None] = lambda: None) -> None:
        """Have an outcome written; the job is in flight until it is committed, however long a full disk takes.

        `then` is called after the commit: whoever looks at the row because of it must not see it as it was.
        """
        self._ledger.submit(work).add_done_callback(partial(self._written, job, work, then))

    def _written(
        self, job: int, work: Callable[[Ledger], object], then: Callable[[], None], future: Future[object]
    ) -> None:
        error = future.exception()
        if isinstance(error, LedgerUnavailable):
            self._unwritten.append((job, work, then))
        else:
            if error is not None:
                log.error("a defect in playment-agent; please report it", exc_info=error)
            self._posting_ids.discard(job)
            self._publishing_ids.discard(job)
            then()
        self.wake()

    def _write_again(self) -> None:
        for _ in range(len(self._unwritten)):
            self._write(*self._unwritten.popleft())
