"""One job to the target, and what becomes of it: accepted, refused, put off, or to be looked at again."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from agent.core.post_outcomes import PostOutcome, outcome_of
from agent.errors import AccessRefused, DuplicateReference, FolderUnavailable, OutOfCredit, RemoteError, TryLater
from agent.host.workers import DEFECT
from agent.ledger import jobs, lookups
from agent.ledger.frames import with_sources
from agent.ledger.writer import Each
from agent.model.journal import about
from agent.sending.unchanged import changed_meanwhile, first_changed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from agent.ledger.store import Ledger
    from agent.model import Job
    from agent.sending.access import Access
    from agent.sending.context import SendingContext
    from agent.sending.in_flight import InFlight
    from agent.sending.outcomes import Outcomes
    from agent.sending.probing import Probing
    from agent.targets.gate import Gate

log = logging.getLogger(__package__)


class Posting:
    """Sends jobs and has written what became of them. All methods may be called in any thread.

    `on_unsettled` is told of a job that could have been sent, but for files that changed.
    """

    def __init__(
        self,
        context: SendingContext,
        gate: Gate,
        access: Access,
        probing: Probing,
        *,
        outcomes: Outcomes,
        in_flight: InFlight,
        random: Random,
        on_unsettled: Callable[[Job], None],
    ) -> None:
        self._context = context
        self._gate = gate
        self._access = access
        self._probing = probing
        self._outcomes = outcomes
        self._in_flight = in_flight
        self._random = random
        self._on_unsettled = on_unsettled

    def post(self, job: Job) -> None:
        """Send one job, and have written what became of it."""
        if not (self._gate.enter() and self._gate.enter_to_send()):
            self._put_back(job)
            return
        try:
            self._send(job)
        finally:
            self._gate.left()

    def _put_back(self, job: Job) -> None:
        self.write(job.id, partial(jobs.not_sent, job=job.id, quiet=self._probing.is_probe(job.id)))

    def _send(self, job: Job) -> None:
        if not self._probing.lets(job.id):
            self._put_back(job)
            return
        try:
            changed = first_changed(self._context, job)
            if changed is not None:
                self._on_unsettled(job)
                self.unsettle(job, f"{changed} changed before it was sent")
                return
            job_id = self._create(job)
        except DuplicateReference as error:
            self.write(job.id, partial(lookups.in_use, job=job.id, code=error.code, reason=str(error)))
        except FolderUnavailable as error:
            self.failed(job, error.of_job(), tries=job.attempts)
        except RemoteError as error:
            self.failed(job, error, tries=job.attempts)
        except Exception as error:
            log.exception(DEFECT)
            self.failed(job, defect(error), tries=job.attempts)
        else:
            self.write(job.id, Each(jobs.accept_all, (job.id, job_id)))
            self._probing.target.worked()
            of_job = about(job.path, job.reference_id, job_id)
            log.info("submitted %s as %s, frames: %d", job.reference_id, job_id, len(job.frames), extra=of_job)
            if changed_meanwhile(self._context, job):
                self._context.on_changed(job.path, job.kind)

    def _create(self, job: Job) -> str:
        """Make the request, and have noted how the target answers it."""
        addressed = self._addressed(job)
        began = self._context.monotonic()
        try:
            with self._counted(job, began):
                job_id = self._context.target.create(addressed)
        except TryLater as error:
            if error.is_outage or error.is_too_often:
                self._gate.pushed_back(began, too_often=error.is_too_often and not error.retry_after)
            if error.is_outage:
                self._probing.target_failed(job.id, error)
            else:
                self._probing.target.worked()
            raise
        except OutOfCredit:
            raise
        except RemoteError:
            self._probing.target.worked()
            raise
        self._gate.answered(began, len(job.frames))
        return job_id

    @contextmanager
    def _counted(self, job: Job, began: float) -> Iterator[None]:
        """Count the request that is made inside, by what comes of it."""
        outcome = PostOutcome.ACCEPTED
        try:
            yield
        except Exception as error:
            outcome = outcome_of(error)
            raise
        finally:
            seconds = self._context.monotonic() - began
            self._context.meters.posted(outcome, seconds, again=job.attempts > 1)

    def _addressed(self, job: Job) -> Job:
        """Return the job with the URLs that it is sent with: they may be signed, and are not kept."""
        addresses = [self._context.publisher.address(frame.src or "") for frame in job.frames]
        if addresses == [frame.src for frame in job.frames]:
            return job
        return replace(job, frames=with_sources(job.frames, addresses))

    def unsettle(self, job: Job, reason: str) -> None:
        """Have a job whose files changed looked at again."""
        told = partial(self._context.on_changed, job.path, job.kind)
        self.write(job.id, partial(jobs.unsettled, tried=job, reason=reason), told)

    def failed(self, job: Job, error: RemoteError, *, tries: int) -> None:
        """Have written what a failed try means for its job, and obey what the error asks of all that is sent."""
        if isinstance(error, OutOfCredit):
            self._probing.out_of_credit(job.id, error)
        elif isinstance(error, AccessRefused):
            error = self._access.judge(error)
        if isinstance(error, TryLater):
            self._gate.hold(error.retry_after or 0.0)
        probes = self._probing.is_probe(job.id) and self._probing.is_on
        passes = isinstance(error, TryLater | OutOfCredit)
        level = (logging.DEBUG if probes else logging.INFO) if passes else logging.WARNING
        log.log(level, "%s: %s", job.reference_id, error, extra=about(job.path, job.reference_id))
        chance = self._random.random()
        work = partial(jobs.failed, job=job.id, error=error, tries=tries, random=chance, probes=probes)
        self.write(job.id, work)

    def write(self, job: int, work: Callable[[Ledger], object], then: Callable[[], None] = lambda: None) -> None:
        """Have an outcome written; the job is in flight until it is committed.

        `then` is called after the commit: whoever looks at the row because of it must not see it as it was.
        """

        def written() -> None:
            self._in_flight.end([job])
            then()

        self._in_flight.is_known(job)
        self._outcomes.write(work, written)


def defect(error: Exception) -> TryLater:
    """Return what a defect of ours means for its job: it waits as after any failure, and holds up no other."""
    return TryLater(f"a defect in playment-agent, told in its log ({type(error).__name__})", code="defect")
