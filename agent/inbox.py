"""What other threads tell the loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.intake import Finished
from agent.watcher import Lost, Noticed

if TYPE_CHECKING:
    from agent.settle import UnitKey


@dataclass(frozen=True, slots=True)
class Changed:
    """A unit that the submitter found changed."""

    unit: UnitKey


@dataclass(frozen=True, slots=True)
class LedgerChanged:
    """Another process has written: `paused` is what it says now."""

    paused: bool


Item = Noticed | Lost | Finished | Changed | LedgerChanged | None
