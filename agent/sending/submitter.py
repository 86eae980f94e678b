"""Claim → publish → probe → post → outcome: takes pending jobs from the ledger to the target, each exactly once.

A dispatcher thread reads what is due, has it published and probed by its own workers, writes the intents of all that
are ready in one transaction, and hands them to the posting workers. No worker waits for a commit: outcomes go to the
ledger's thread, and a job counts as in flight until its outcome is committed.
"""

from __future__ import annotations

import logging
import random
import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from agent.core.repeats import Repeats
from agent.core.retry import LEDGER, UNSET_CLOCK
from agent.core.unset_clock import is_unset, told
from agent.errors import FileChanged, HeldByFolder, LedgerUnavailable, LedgerUnreadable, RemoteError, TryLater
from agent.host.clock import ClockSteps
from agent.host.workers import DEFECT
from agent.ledger import jobs, spend
from agent.sending.access import Access
from agent.sending.admission import put_off_beyond_limit
from agent.sending.adoption import IDLE, Adoption
from agent.sending.granting import Granting
from agent.sending.grantor import Alone
from agent.sending.in_flight import AHEAD, InFlight
from agent.sending.outcomes import Outcomes
from agent.sending.past import Past
from agent.sending.posting import Posting, defect
from agent.sending.probing import Probing
from agent.sending.publication import Publication

if TYPE_CHECKING:
    from agent.core.spend_guard import Limits
    from agent.host.workers import Pools
    from agent.ledger.due import Candidate
    from agent.ledger.reads import Reads
    from agent.ledger.writer import LedgerWriter
    from agent.model import Job
    from agent.sending.context import SendingContext
    from agent.sending.grantor import Grantor
    from agent.targets.gate import Gate

log = logging.getLogger(__package__)


class Submitter:
    """Sends from `start` until `close`. `reads` are the dispatcher's own; without a `grantor` this host is alone.

    `turn` is the dispatcher's thread's; all others may be called in any thread.
    """

    def __init__(
        self,
        context: SendingContext,
        ledger: LedgerWriter,
        reads: Reads,
        gate: Gate,
        pools: Pools,
        *,
        grantor: Grantor | None = None,
    ) -> None:
        self._context = context
        self._ledger = ledger
        self._reads = reads
        self._gate = gate
        self._pools = pools
        self._limit_publishing = AHEAD * (pools.publishing if Publication.waits(context) else pools.posting).count
        self._wake = threading.Condition()
        self._woken = True
        self._stopping = False
        self._in_flight = InFlight(pools.posting.count, self.wake)
        self._outcomes = Outcomes(ledger, context.monotonic, self.wake)
        self._grantor = grantor or Alone(gate)
        self._access = Access(context.target, context.publisher, gate, context.monotonic, self._refused)
        self._repeats = Repeats()
        self._clock_steps = ClockSteps(context.now, context.monotonic)
        self._has_no_clock = False
        self._probing = Probing(
            context.target,
            gate,
            context.monotonic,
            write=self._outcomes.write,
            tell=self._tell_blocked,
            wake=self.wake,
        )
        chance = random.Random()  # noqa: S311 (jitter and samples, no secrets)
        self._publication = Publication(
            context, gate, self._probing, pools.publishing, random=chance, done=self._published, recent=ledger.recent
        )
        self._posting = Posting(
            context,
            gate,
            self._access,
            self._probing,
            outcomes=self._outcomes,
            in_flight=self._in_flight,
            random=chance,
            on_unsettled=self._publication.unsettled,
        )
        self._granting = Granting(
            ledger,
            self._grantor,
            self._in_flight,
            limits=context.limits,
            monotonic=context.monotonic,
            is_quiet=lambda job: self._probing.is_on and self._probing.is_probe(job.id),
            post=lambda job: pools.posting.submit(partial(self._posting.post, job)),
            wake=self.wake,
        )
        worked = self._probing.target.worked
        self._adoption = Adoption(
            context, ledger, gate, access=self._access, worker=pools.looking, worked=worked, done=self.wake
        )
        self._past = Past(context, ledger, gate, access=self._access, worker=pools.looking, done=self.wake)
        self._thread = threading.Thread(target=self._run, name="dispatch")

    def start(self) -> None:
        """Take turns in a thread of its own."""
        self._thread.start()
        self._grantor.start(self.wake)

    def wake(self) -> None:
        """Look for work now: something in the ledger has changed."""
        if self._woken:  # its next turn has not begun
            return
        with self._wake:
            self._woken = True
            self._wake.notify()

    def knock(self) -> None:
        """Where sending is blocked, look now whether it still is."""
        self._access.knock()
        self.wake()

    def limit(self, limits: Limits) -> None:
        """Have these be the spend guard's limits from now on, also for what was put off by those before."""
        if limits != self._context.limits:
            self._context = replace(self._context, limits=limits)
            self._granting.limits = limits
            self._ledger.submit(spend.reconsider).add_done_callback(lambda _done: self.wake())

    def in_flight(self) -> int:
        """Return how many jobs are being published, posted, looked up or written."""
        return self._in_flight.publishing + self._in_flight.posting + self._adoption.running

    @property
    def trouble(self) -> str:
        """What is away of the target, the place of the files and the fleet, for a person; '' where all are there."""
        return "; ".join(filter(None, (self._probing.target.told, self._probing.store.told, self._grantor.trouble)))

    @property
    def is_past_unknown(self) -> bool:
        """Whether it is still to be asked what the project, or the fleet, had before there was the ledger."""
        return not self._grantor.is_met if self._grantor.is_shared else self._past.is_unknown

    def close(self, seconds: float) -> bool:
        """Finish what is in flight, for `seconds` at most; return whether all of it was."""
        self._stopping = True
        self._gate.stop()
        self._granting.stop()
        self.wake()
        self._thread.join()
        deadline = self._context.monotonic() + seconds
        pools = (self._pools.publishing, self._pools.posting, self._grantor.pool)
        clean = [pool.close(max(0.0, deadline - self._context.monotonic())) for pool in pools]
        clean.append(self._adoption.close(max(0.0, deadline - self._context.monotonic())))
        self._outcomes.flush()
        self._grantor.close(max(0.0, deadline - self._context.monotonic()))
        return all(clean)

    def _run(self) -> None:
        while not self._stopping:
            try:
                wait = self.turn()
            except LedgerUnavailable as error:
                # What it cannot write is told of by whoever writes it.
                if isinstance(error, LedgerUnreadable) and self._repeats.are_due(str(error), self._context.monotonic()):
                    log.error("the ledger: %s; trying again in %d s", error, LEDGER.seconds())  # noqa: TRY400 (a sentence, no defect)
                wait = LEDGER.seconds()
            except Exception:
                log.exception(DEFECT)
                wait = LEDGER.seconds()
            with self._wake:
                if not self._woken:
                    self._wake.wait(wait)
                self._woken = False

    def turn(self) -> float:
        """Do what can be done now; return after how many seconds to look again unless woken."""
        waits = [self._outcomes.again() or IDLE, self._granting.held_back()]
        if self._gate.blocked and not self._gate.lets_probes:
            waits.append(self._access.turn(self._pools.publishing))
        waits.append(self._mind_the_clock())
        if not self._grantor.is_shared:
            waits.append(self._past.turn(self._reads))
        if self._gate.is_shut:
            self._in_flight.put_back()  # nothing may leave, and nobody knows for how long
            return min(waits)
        if self._granting.held_back() < IDLE:
            return min(waits)
        waits.append(self._probing.turn())
        waits.append(self._probe() if self._probing.is_on else self._send_all())
        return min(waits)

    def _probe(self) -> float:
        """Have one job sent, whose turn it is, to see whether a remote is back; return seconds until the next."""
        flying = self._in_flight
        flying.put_back(self._probing.lets)
        busy = flying.all()
        wait = self._probing.wait(busy)
        if flying.ready:
            return self._granting.turn()
        if wait <= 0:
            put_off_beyond_limit(self._context, self._ledger, self._reads, self._grantor.spent)
            candidate = self._publication.probe(self._reads, busy)
            if candidate is not None:
                self._probing.begin(candidate.job.id)
                flying.begin(candidate.job.id)
                self._publication.begin(candidate)
            wait = self._probing.wait(flying.all()) if candidate else max(0.05, self._until_due())
        return min(wait, self._adoption.turn(self._reads, idle=not busy, is_away=True))

    def _until_due(self) -> float:
        """Return in how many seconds the next job is due that is not under way, less than 0 where it is."""
        soonest = self._reads.next_due(self._in_flight.all(), lookup=False)
        return (soonest - self._context.now()).total_seconds() if soonest else IDLE

    def _send_all(self) -> float:
        """Have all sent that is due, as far as there is room; return seconds until there may be more."""
        waits = [IDLE]
        flying = self._in_flight
        publishing = flying.publishing - (self._granting.idle if self._context.publisher.uploads else 0)
        room = max(0, min(self._limit_publishing - publishing, flying.room))
        if room >= min(self._limit_publishing, flying.most) // 2 or (room and not flying.posting):
            put_off_beyond_limit(self._context, self._ledger, self._reads, self._grantor.spent)
            for candidate in self._publication.due(self._reads, room, flying.all()):
                flying.begin(candidate.job.id)
                self._publication.begin(candidate)
        if flying.ready:
            waits.append(self._granting.turn())
        seconds = self._until_due()
        idle = not flying.publishing and not flying.posting
        waits.append(self._adoption.turn(self._reads, idle=idle and seconds > 0))
        if seconds > 0 or idle:
            waits.append(max(seconds, 0.05))
        return min(waits)

    def _mind_the_clock(self) -> float:
        """Let nothing leave while the clock is not set, and return seconds until it is to be looked at again.

        Take up at once what would else wait for a time that has become far: the clock was set back.
        """
        now, seconds = self._context.now(), self._clock_steps.seconds()
        unset = is_unset(now)
        if unset is not self._has_no_clock:
            self._has_no_clock = unset
            log.warning("%s", told(now) or "the clock is set: sending goes on")
        self._gate.wait_for_clock(unset=unset)
        if seconds and not unset:
            log.warning("the clock was set back by %d s: what waits is taken up now", seconds)
            self._ledger.submit(jobs.clock_set_back).add_done_callback(lambda _future: self.wake())
        return UNSET_CLOCK.seconds() if unset else IDLE

    def _published(self, candidate: Candidate, job: Job | None, error: Exception | None) -> None:
        """Take note that a job can be sent, or of what stood in the way."""
        tries = candidate.job.attempts + 1
        match error:
            case None if job is not None:
                self._in_flight.is_ready(job)
            case None:
                self._in_flight.end([candidate.job.id])
            case HeldByFolder():
                told = partial(self._context.on_changed, candidate.job.path, candidate.job.kind)
                self._posting.write(candidate.job.id, error.work, told)
            case FileChanged():
                self._posting.unsettle(candidate.job, str(error))
            case RemoteError():
                if isinstance(error, TryLater) and error.is_outage:
                    self._probing.target_failed(candidate.job.id, error)
                self._posting.failed(candidate.job, error, tries=tries)
            case LedgerUnavailable():
                self._granting.hold_back()
                self._in_flight.end([candidate.job.id])
            case _:
                log.error(DEFECT, exc_info=error)
                self._posting.failed(candidate.job, defect(error), tries=tries)
        self.wake()

    def _refused(self, reason: str) -> None:
        self._tell_blocked(reason)
        self._grantor.blocks(reason)

    def _tell_blocked(self, reason: str) -> None:
        self._outcomes.write(lambda ledger: ledger.put(blocked=reason))
