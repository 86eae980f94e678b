"""Looks once through the target's lists for a new ledger: what they hold of us is not to be ordered again."""

from __future__ import annotations

import logging
import math
from functools import partial
from typing import TYPE_CHECKING

from agent.core.past import is_unknown
from agent.core.retry import PAST
from agent.errors import AccessRefused, LedgerUnavailable, RemoteError, TryLater
from agent.ledger import past

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from agent.host.workers import Pool
    from agent.ledger.reads import Reads
    from agent.ledger.store import Ledger
    from agent.ledger.writer import LedgerWriter
    from agent.model import UnitKey
    from agent.sending.access import Access
    from agent.sending.context import SendingContext
    from agent.targets.gate import Gate

log = logging.getLogger(__package__)

MOST_REQUESTS = 10_000
"""Of one pass; a list shows a hundred jobs."""


class Past:
    """One pass over the target's lists, where the ledger is new. Until it is over the gate is shut, but for a person.

    `turn` is the dispatcher's thread's. `done` is called when a pass has ended.
    """

    def __init__(
        self,
        context: SendingContext,
        ledger: LedgerWriter,
        gate: Gate,
        *,
        access: Access,
        worker: Pool,
        done: Callable[[], None],
    ) -> None:
        self._context = context
        self._ledger = ledger
        self._gate = gate
        self._access = access
        self._worker = worker
        self._done = done
        self._not_before = -math.inf
        self._failures = 0
        self._requests = 0
        self._running = False
        self._may_go_on = True
        self.is_unknown = True
        """Whether the lists are still to be read."""

    def turn(self, reads: Reads) -> float:
        """Start the pass where it is wanted; return after how many seconds to ask again."""
        if not self.is_unknown or self._running:
            return math.inf
        wait = self._not_before - self._context.monotonic()
        if wait > 0:
            return wait
        self.is_unknown = is_unknown(reads.agent())
        if self.is_unknown:
            self._running = True
            self._worker.submit(self._pass)
        return math.inf

    def _pass(self) -> None:
        self._not_before = self._context.monotonic() + PAST.seconds()
        is_read = False
        try:
            found = self._look()
            is_read = self._may_go_on or self._requests > MOST_REQUESTS
            if is_read:
                work = partial(past.finish, rules=self._context.rules, found=found, whole=self._may_go_on)
                self._ledger.submit(partial(_finished, finish=work)).add_done_callback(self._over)
        except RemoteError as error:
            self._failed(self._access.judge(error) if isinstance(error, AccessRefused) else error)
        except LedgerUnavailable as error:
            log.error("what the lists hold is read again: %s", error)  # noqa: TRY400 (a sentence, no defect)
        finally:
            if not is_read:
                self._ended()

    def _ended(self) -> None:
        self._running = False
        self._done()

    def _look(self) -> bool:
        """Go through the lists; return whether they hold an id that may be ours."""
        self._requests, self._may_go_on = 0, True
        found = False
        reader = self._context.rules.reader
        for _, some in self._context.target.listed(self._goes_on):
            ids = self._ledger.call(partial(past.learn, found=some, reader=reader))
            if ids and not found:
                found = True
                if why := self._ledger.call(partial(past.suspect, reference_id=ids[0])):
                    log.warning("sending is paused: %s", why)
        return found

    def _goes_on(self) -> bool:
        """Tell whether another request may leave."""
        self._requests += 1
        self._may_go_on = self._requests <= MOST_REQUESTS and self._gate.enter_to_read()
        return self._may_go_on

    def _failed(self, error: RemoteError) -> None:
        self._failures += 1
        asked = error.retry_after if isinstance(error, TryLater) else None
        if asked:
            self._gate.hold(asked)
        wait = max(asked or 0.0, PAST.seconds(self._failures))
        self._not_before = self._context.monotonic() + wait
        level = logging.WARNING if self._failures == 1 else logging.DEBUG  # the status says it all the time
        told = "nothing is sent yet: %s's lists cannot be read, trying again every %d s at the latest: %s"
        log.log(level, told, self._context.target.name, PAST.longest, error)
        self._ledger.submit(partial(past.not_read, reason=str(error)))

    def _over(self, written: Future[tuple[bool, list[UnitKey]]]) -> None:
        """Open the gate, or keep it shut (in the ledger's thread, so that no order of a person's falls between)."""
        if written.exception() is None:
            is_paused, units = written.result()
            self.is_unknown = False
            self._gate.pause(paused=is_paused)
            for unit in units:
                self._context.on_changed(*unit)
        self._ended()


def _finished(ledger: Ledger, finish: Callable[[Ledger], list[UnitKey]]) -> tuple[bool, list[UnitKey]]:
    units = finish(ledger)
    return past.is_paused(ledger), units
