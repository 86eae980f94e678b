"""Has what was noticed written to the ledger, in pieces, and never twice at a time."""

from __future__ import annotations

import logging
from concurrent.futures import wait
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from agent.core.retry import FOLDER
from agent.errors import LedgerUnavailable
from agent.ledger import holds, units
from agent.noticing.messages import NotWritten

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from agent.errors import FolderUnavailable
    from agent.ledger.store import Ledger
    from agent.ledger.writer import LedgerWriter
    from agent.model import UnitKey
    from agent.model.units import Sight

log = logging.getLogger(__package__)

WRITTEN_TOGETHER = 1000
MOST_SIGHTS = 2 * WRITTEN_TOGETHER
"""Sights that wait to be written where a folder of 100,000 images is seen at once: more take memory (180 bytes each),
and two busy threads hold each other up."""
WRITING_SECONDS = 1.0
"""How long detection waits for a piece of them: a ledger that takes longer must not stop it."""


class LedgerBook:
    """A book that is the ledger. All methods are the loop's thread's; `post` hands the loop messages, from any thread.

    What could not be written comes back as a message NotWritten, whose content belongs into `put_back`.
    """

    def __init__(self, ledger: LedgerWriter, post: Callable[[NotWritten], None]) -> None:
        self._ledger = ledger
        self._post = post
        self._sights: dict[UnitKey, Sight] = {}
        self._writing: Future[None] | None = None
        self._waited_for: Future[None] | None = None
        self._missed: set[UnitKey] = set()
        self._stopped: list[Callable[[Ledger], None]] = []

    @property
    def is_behind(self) -> bool:
        """Whether sights wait for those before them to be committed, or what is missing for a flush."""
        return bool(self._sights or self._missed)

    def notice(self, unit: UnitKey, sight: Sight) -> None:
        """Write what a unit waits for, soon; it is not missed."""
        self._missed.discard(unit)
        self._sights[unit] = sight
        if len(self._sights) > MOST_SIGHTS:
            self._let_ledger_catch_up()

    def withdraw(self, unit: UnitKey) -> bool:
        """Let go of a sight: written later it would undo what the reading writes."""
        return self._sights.pop(unit, None) is not None

    def hold(self, sight: Sight, code: str) -> None:
        """Hold a unit that must not even be read."""
        self._stopped.append(partial(holds.hold, sight=sight, code=code))

    def refuse(self, sight: Sight) -> None:
        """Write that a file is of no kind that is taken."""
        self._stopped.append(partial(holds.refuse, sight=sight))

    def leave_alone(self, unit: UnitKey, reason: str) -> None:
        """Have the open row of a unit be `gone`."""
        self._stopped.append(partial(units.vanish, path=unit.path, kind=unit.kind, why=reason))

    def miss(self, unit: UnitKey) -> None:
        """Have the open row of a unit be `gone`, and a sent one noted as deleted, should absence prove it."""
        self._missed.add(unit)

    def cannot_list(self, folder: str, error: FolderUnavailable, *, again: bool) -> None:  # noqa: ARG002
        """Say so once, not for months."""
        log.log(logging.DEBUG if again else logging.WARNING, "%s; looking again every %d s", error, FOLDER.seconds())

    def put_back(self, message: NotWritten) -> None:
        """Take back what could not be written: it is tried again with the next flush."""
        self._missed.update(message.missed)
        self._stopped.extend(message.stopped)

    def flush(self, absence_is_proof: Callable[[], bool]) -> None:
        """Have written what was seen and what is missing; the latter only where absence proves a deletion."""
        self._write_sights()
        stopped, self._stopped = self._stopped, []
        for start in range(0, len(stopped), WRITTEN_TOGETHER):
            orders = tuple(stopped[start : start + WRITTEN_TOGETHER])
            self._write(partial(_stop_all, stopped=orders), NotWritten(stopped=orders))
        missed, self._missed = [*self._missed], set()
        if missed and absence_is_proof():
            for start in range(0, len(missed), WRITTEN_TOGETHER):
                gone = tuple(missed[start : start + WRITTEN_TOGETHER])
                self._write(partial(units.vanish_all, units=gone), NotWritten(missed=gone))

    def _write(self, work: Callable[[Ledger], None], otherwise: NotWritten) -> None:
        def written(future: Future[None]) -> None:
            if isinstance(future.exception(), LedgerUnavailable):
                self._post(otherwise)

        self._ledger.submit(work).add_done_callback(written)

    def _let_ledger_catch_up(self) -> None:
        if self._writing is not None and self._writing is not self._waited_for:
            self._waited_for = self._writing  # not twice: while the ledger is locked, that would be for each image
            wait((self._writing,), WRITING_SECONDS)
        self._write_sights()

    def _write_sights(self) -> None:
        if self._writing is None or self._writing.done():  # one piece a commit: a long one holds up all others
            sights = [self._sights.pop(unit) for unit in list(islice(self._sights, WRITTEN_TOGETHER))]
            self._writing = self._ledger.submit(lambda ledger: units.notice(ledger, *sights)) if sights else None


def _stop_all(ledger: Ledger, *, stopped: Sequence[Callable[[Ledger], None]]) -> None:
    for stop in stopped:
        stop(ledger)
