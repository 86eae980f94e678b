"""What becomes of a settled unit: its files are read, and what `plan` says is written in the same transaction."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from agent.core.states import State
from agent.errors import FileChanged, FolderUnavailable, Interrupted, LedgerUnavailable
from agent.host.workers import DEFECT
from agent.ledger import bulk, fleet, past, units
from agent.ledger.reads import Reads
from agent.ledger.writer import Each
from agent.model import Adopt, Keep, Queue, shown
from agent.model.journal import about
from agent.noticing.messages import Finished
from agent.noticing.moved import left_behind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from agent.core.reference_id import IdRules
    from agent.folder.scanner import Scanner
    from agent.ledger.store import Ledger
    from agent.ledger.writer import LedgerWriter
    from agent.model import Action, Namer, Unit, UnitKey

log = logging.getLogger(__package__)


class Verdicts:
    """Plans and applies. All methods are the ledger's thread's; `name` gives the `src` of what is to be sent."""

    def __init__(self, scanner: Scanner, rules: IdRules, name: Namer = units.nameless) -> None:
        self._scanner = scanner
        self._rules = rules
        self._name = name

    def write_all(self, ledger: Ledger, contents: Sequence[Unit]) -> list[State | None]:
        """Decide about units that were read; the state of None is to be looked at again."""
        plain = bulk.queue_plain(ledger, contents, self._rules, self._name)
        return [
            State.PENDING if index in plain else self._write(ledger, content) for index, content in enumerate(contents)
        ]

    def adopt(self, ledger: Ledger, unit: Unit) -> None:
        """Take over the job that the target had of a unit before there was this ledger, where it had one."""
        if isinstance(self._planned(ledger, unit), Adopt):
            self._write(ledger, unit)

    def take_over(self, ledger: Ledger, unit: Unit, reference_id: str, job_id: str) -> State | None:
        """Write that another host has sent a unit that was not read here; None where it is to be read after all."""
        action = self._planned(ledger, unit)
        match action:
            case Keep():
                return units.apply(ledger, action)
            case Queue(_, ids, _) if ids[0] == reference_id:
                state = units.apply(ledger, action)
                return State.SUBMITTED if fleet.sent_elsewhere(ledger, reference_id, job_id) else state
        return None

    def _planned(self, ledger: Ledger, unit: Unit) -> Action:
        reads = Reads.within(ledger)
        return reads.plan(unit, self._rules, left_behind(self._scanner, reads, unit))

    def _write(self, ledger: Ledger, unit: Unit) -> State | None:
        action = self._planned(ledger, unit)
        state = units.apply(ledger, action, self._name)
        if isinstance(action, Adopt) and state is State.PENDING:
            past.take_over(ledger, action.reference_ids)
            return State.SUBMITTED
        return state


class LedgerDecider:
    """Reads settled units and has the ledger's thread decide. Its method is a reader's thread's.

    `post` hands a Finished to the loop, from any thread.
    """

    def __init__(self, ledger: LedgerWriter, verdicts: Verdicts, post: Callable[[Finished], None]) -> None:
        self._ledger = ledger
        self._verdicts = verdicts
        self._post = post

    def take(self, unit: UnitKey, read: Callable[[], Unit]) -> None:
        """Read a unit's files and have it written."""
        try:
            content = read()
        except FileChanged as error:
            log.info("%s: %s", shown(unit.path), error, extra=about(shown(unit.path)))
            self._post(Finished(unit, None, changed=True))
        except FolderUnavailable as error:
            self._post(Finished(unit, None, unread=str(error)))
        except Interrupted:
            self._post(Finished(unit, None))
        except BaseException:
            self._post(Finished(unit, None))
            raise
        else:
            written = self._ledger.submit(Each(self._verdicts.write_all, content))
            written.add_done_callback(partial(_tell, unit, self._post))


def _tell(unit: UnitKey, post: Callable[[Finished], None], written: Future[State | None]) -> None:
    """Tell the loop what came of a unit (in the ledger's thread)."""
    error = written.exception()
    if isinstance(error, FolderUnavailable):  # what it may have been moved from cannot be looked at
        post(Finished(unit, None, unread=str(error)))
        return
    if error is not None and not isinstance(error, LedgerUnavailable):
        log.error(DEFECT, exc_info=error)
    post(Finished(unit, None if error is not None else written.result()))
