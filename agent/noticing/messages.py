"""What other threads tell the loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.folder.changes import Changes, EventsLost

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.core.states import State
    from agent.ledger.store import Ledger
    from agent.model.units import UnitKey


@dataclass(frozen=True, slots=True)
class Finished:
    """A unit was read and written; `state` None: it is to be looked at again.

    That is done later where it `changed` meanwhile, could not be read (`unread` says why), or is `taken` by another
    host: after so many seconds.
    """

    unit: UnitKey
    state: State | None
    changed: bool = False
    unread: str = ""
    taken: float = 0.0


@dataclass(frozen=True, slots=True)
class NotWritten:
    """The ledger could not take this now: units that are `missed`, and units that are `stopped`, as work on it."""

    missed: tuple[UnitKey, ...] = ()
    stopped: tuple[Callable[[Ledger], None], ...] = ()


@dataclass(frozen=True, slots=True)
class Changed:
    """A unit that the submitter found changed."""

    unit: UnitKey


@dataclass(frozen=True, slots=True)
class LedgerChanged:
    """Another process has written: `paused` is what it says now."""

    paused: bool


Item = Changes | EventsLost | Finished | NotWritten | Changed | LedgerChanged | None
