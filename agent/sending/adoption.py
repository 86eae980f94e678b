"""Takes over jobs that the target has already: after a lost reply, a crash, or a lost ledger."""

from __future__ import annotations

import logging
import math
from functools import partial
from typing import TYPE_CHECKING

from agent.core.adoption import why_not_ours
from agent.core.retry import GATHERING, LISTS
from agent.errors import AccessRefused, LedgerUnavailable, RemoteError, TryLater
from agent.ledger import jobs, late, lookups

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from agent.host.workers import Pool
    from agent.ledger.reads import Reads
    from agent.ledger.store import Ledger
    from agent.ledger.writer import LedgerWriter
    from agent.model.jobs import Found, Lookup
    from agent.sending.access import Access
    from agent.sending.context import SendingContext
    from agent.targets import Twins
    from agent.targets.gate import Gate

log = logging.getLogger(__package__)

IDLE = 3600.0


class Adoption:
    """One pass at a time over the target's lists, for all jobs that wait for one. `done` is called after each.

    `worked` is called where a job is there whose answer was lost: the target takes jobs.
    """

    def __init__(
        self,
        context: SendingContext,
        ledger: LedgerWriter,
        gate: Gate,
        *,
        access: Access,
        worker: Pool,
        worked: Callable[[], None],
        done: Callable[[], None],
    ) -> None:
        self._context = context
        self._ledger = ledger
        self._gate = gate
        self._access = access
        self._worked = worked
        self._done = done
        self._worker = worker
        self._gathering_since: float | None = None
        self._not_before = -math.inf
        self._failures = 0
        self._is_away = False
        self.running = 0

    def turn(self, reads: Reads, *, idle: bool, is_away: bool = False) -> float:
        """Start a pass if jobs wait for one and none else is being sent, or they have waited for long enough.

        Returns after how many seconds to ask again. Where the target `is_away`, as people were told, the log is spared;
        once it is back, nothing waits for lists that could not be read meanwhile.
        """
        if self._is_away and not is_away:
            self._not_before = -math.inf
        self._is_away = is_away
        if self.running:
            return IDLE
        wanted = reads.lookups(self._context.now())
        now = self._context.monotonic()
        if not wanted:
            self._gathering_since = None
            soonest = reads.next_due((), lookup=True)
            return max(0.05, (soonest - self._context.now()).total_seconds()) if soonest else IDLE
        if self._gathering_since is None:
            self._gathering_since = now
        ready_at = max(self._not_before, now if idle else self._gathering_since + GATHERING.seconds())
        if ready_at > now:
            return ready_at - now
        self._gathering_since = None
        self.running = len(wanted)
        self._worker.submit(partial(self._pass, wanted))
        return IDLE

    def close(self, seconds: float) -> bool:
        """End the running pass, for `seconds` at most; return whether it has ended."""
        return self._worker.close(seconds)

    def _pass(self, wanted: Sequence[Lookup]) -> None:
        self._not_before = self._context.monotonic() + LISTS.seconds()
        again = [lookup for lookup in wanted if lookup.why == late.TWINS]
        first = [lookup for lookup in wanted if lookup.why != late.TWINS]
        try:
            for look, some in ((self._look_up, first), (self._look_again, again)):
                if some and not look(some):
                    return
                self._failures = 0
            self._not_before = -math.inf
        except RemoteError as error:
            self._failed(self._access.judge(error) if isinstance(error, AccessRefused) else error)
        except LedgerUnavailable as error:
            log.error("what was found is looked up again: %s", error)  # noqa: TRY400 (a sentence, no defect)
        finally:
            self.running = 0
            self._done()

    def _look_up(self, wanted: Sequence[Lookup]) -> bool:
        """Find what may be there, and have it written; return whether that could be asked."""
        target, looked_at = self._context.target, self._context.now()
        found = target.find(wanted, self._gate.enter)
        if found is None:
            return False
        work = partial(settle, wanted=wanted, found=found, target=target.name, looked_at=looked_at)
        if self._ledger.call(work):
            self._worked()
        log.info("looked up %d jobs in %s's lists, found %d", len(wanted), target.name, len(found))
        for lookup in wanted:
            if lookup.why == "changed":
                self._context.on_changed(lookup.path, lookup.kind)
        return True

    def _look_again(self, wanted: Sequence[Lookup]) -> bool:
        """Have twins of jobs removed, and written what is there; return whether that could be asked."""
        target, looked_at = self._context.target, self._context.now()
        twins = target.twins([lookup.reference_id for lookup in wanted], self._gate.enter)
        if twins is None:
            return False
        self._ledger.call(partial(look_again, wanted=wanted, twins=twins, looked_at=looked_at))
        removed = sum(len(each.removed) for each in twins.values())
        level = logging.WARNING if removed else logging.DEBUG
        log.log(level, "looked again at %d jobs at %s, removed %d twins", len(wanted), target.name, removed)
        return True

    def _failed(self, error: RemoteError) -> None:
        self._failures += 1
        asked = error.retry_after if isinstance(error, TryLater) else None
        if asked:
            self._gate.hold(asked)
        wait = max(asked or 0.0, LISTS.seconds(self._failures))
        self._not_before = self._context.monotonic() + wait
        level = logging.DEBUG if self._is_away else logging.WARNING
        log.log(level, "%s's lists cannot be read, trying again in %d s: %s", self._context.target.name, wait, error)


def look_again(ledger: Ledger, *, wanted: Sequence[Lookup], twins: Mapping[str, Twins], looked_at: datetime) -> None:
    """Write what a second look has shown that began at a time. Runs inside a transaction of its caller."""
    for lookup in wanted:
        seen = twins.get(lookup.reference_id)
        kept, removed, left = (seen.kept, len(seen.removed), seen.left) if seen else (None, 0, ())
        late.looked_again(ledger, lookup, looked_at, kept=kept, removed=removed, left=left)


def settle(
    ledger: Ledger, *, wanted: Sequence[Lookup], found: Mapping[str, Found], target: str, looked_at: datetime
) -> bool:
    """Write what a look has shown that began at a time; return whether a job is there whose answer was lost.

    Runs inside a transaction of its caller.
    """
    is_taken = False
    for lookup in wanted:
        if not lookups.is_open(ledger, lookup):
            continue
        hit = found.get(lookup.reference_id)
        if hit is None:
            if lookup.why == late.UNANSWERED:
                late.not_found(ledger, lookup, looked_at)
            else:
                lookups.not_found(ledger, lookup)
            continue
        reason = why_not_ours(hit, lookup, target)
        if reason is None:
            jobs.accepted(ledger, lookup.id, hit.job_id, f"found in {target}'s lists: an earlier try had worked")
            ledger.set(lookup.id, batch_id=hit.batch_id)
            is_taken |= lookup.why == late.UNANSWERED
        else:
            lookups.not_ours(ledger, lookup.id, reason)
    return is_taken
