"""Every question about what a listing shows: of what the stages ask, all that `explain` needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.ledger import seen
from agent.ledger.reads_for_people import ReadsForPeople

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.ledger.seen import Seen, Span
    from agent.model import File
    from agent.model.units import UnitKey


class ReadsForNoticing(ReadsForPeople):
    """Answers what a listing is compared with, and the questions of people."""

    def images_in(self, folder: str, span: Span) -> dict[str, Seen]:
        """Return how the single images of a span of a folder stand, by path."""
        return self._ask(seen.images_in, folder, span)

    def newest(self, unit: UnitKey) -> Seen | None:
        """Return how a unit stands, None where it is not known."""
        return self._ask(seen.newest, unit)

    def files_like(self, unit: UnitKey, count: int, size: int) -> list[File]:
        """Return how the files of a unit's newest row looked, where they are so many and of that size together."""
        return self._ask(seen.files_like, unit, count, size)

    def unsent_in(self, folder: str, span: Span) -> list[UnitKey]:
        """Return the units of a span of a folder that are not sent yet."""
        return self._ask(seen.unsent_in, folder, span)

    def listed_in(self, folder: str, span: Span) -> list[UnitKey]:
        """Return the units of a span of a folder that its listing should show."""
        return self._ask(seen.listed_in, folder, span)

    def unsent(self) -> list[UnitKey]:
        """Return all units that are not sent yet."""
        return self._ask(seen.unsent)

    def folders_below(self, folder: str) -> list[str]:
        """Return the folders at and below this one that have units."""
        return self._ask(seen.folders_below, folder)

    def folders(self) -> Iterator[str]:
        """Yield the folders that have units."""
        return self._each(seen.folders)

    def settling(self) -> list[UnitKey]:
        """Return the units that wait to be settled."""
        return self._ask(seen.settling)

    def unreadable(self) -> set[UnitKey]:
        """Return the units that wait since they could not be read."""
        return self._ask(seen.unreadable)
