"""Where noticing puts what it finds out: the ledger of a running agent, or the list of a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.errors import FolderUnavailable
    from agent.model import Unit, UnitKey
    from agent.model.units import Sight
    from agent.noticing.messages import NotWritten


class Book(Protocol):
    """Takes what is noticed of units that are not read. All methods are the loop's thread's."""

    @property
    def is_behind(self) -> bool:
        """Whether something that was noticed is not written yet."""

    def notice(self, unit: UnitKey, sight: Sight) -> None:
        """Take note of a unit that was seen and waits for what the sight says."""

    def withdraw(self, unit: UnitKey) -> bool:
        """Let go of what was noticed of a unit: it is old; return whether it was not written yet."""

    def hold(self, sight: Sight, code: str) -> None:
        """Have a unit held that must not even be read: the sight says why."""

    def refuse(self, sight: Sight) -> None:
        """Have it told that a file is of no kind that is taken: the sight says what to do."""

    def leave_alone(self, unit: UnitKey, reason: str) -> None:
        """Have a unit left alone: its folder's settings say so."""

    def miss(self, unit: UnitKey) -> None:
        """Take note of a unit that a listing does not show though it should."""

    def cannot_list(self, folder: str, error: FolderUnavailable, *, again: bool) -> None:
        """Take note of a folder that cannot be listed; `again`: as at the last try."""

    def put_back(self, message: NotWritten) -> None:
        """Take back what could not be written."""

    def flush(self, absence_is_proof: Callable[[], bool]) -> None:
        """Write what was put here; what is missing only where absence proves a deletion."""


class Decider(Protocol):
    """Takes a unit that has settled."""

    def take(self, unit: UnitKey, read: Callable[[], Unit]) -> None:
        """Have a unit's files read and say what is to be done with it (in a reader's thread)."""
