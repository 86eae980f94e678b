"""Where every unit and every folder is: on its way, or at rest. The one place that knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.fingerprints import is_at_rest
from agent.core.settling import Settling

if TYPE_CHECKING:
    from collections.abc import Hashable

    from agent.ledger.reads import Reads
    from agent.ledger.seen import Seen, Span
    from agent.model import Stamp, UnitKey


class Rest:
    """A unit is at rest where its newest row looks like its files; all others wait, are read, or were just looked at.

    A folder is at rest where all in it was, as its last listing showed it. All methods are the loop's thread's, whose
    ledger connection `reads` is.
    """

    def __init__(self, reads: Reads) -> None:
        self.reads = reads
        self.waiting = Settling()
        self.reading: dict[UnitKey, int] = {}
        """The units that are being read, with the number of their files."""
        self._again: set[UnitKey] = set()
        self._fresh: set[UnitKey] = set()
        self._folders: dict[str, Hashable] = {}

    # Units

    def is_moving(self, unit: UnitKey) -> bool:
        """Tell whether a unit waits, is read, or was looked at since the listing that is compared began."""
        return unit in self.reading or unit in self.waiting or unit in self._fresh

    def looks_at(self, unit: UnitKey) -> None:
        """Take note of a look that is fresher than the listing under way."""
        self._fresh.add(unit)

    def is_fresher(self, unit: UnitKey) -> bool:
        """Tell whether a unit was looked at since the listing that is compared began: what that says of it is old."""
        return unit in self._fresh

    def is_like_its_row(self, unit: UnitKey, look: Stamp | bytes) -> bool:
        """Tell whether the newest row of a unit is of files that look so."""
        row = self.reads.newest(unit)
        return row is not None and is_at_rest(*row, look)

    def rows_of_images(self, folder: str, span: Span) -> dict[str, Seen]:
        """Return the newest rows of a folder's single images, by path."""
        return self.reads.images_in(folder, span)

    def look_again(self, unit: UnitKey) -> None:
        """Have a unit that is being read looked at once more afterwards."""
        self._again.add(unit)

    def was_read(self, unit: UnitKey) -> bool:
        """Take note that a unit was read and written; return whether it is to be looked at once more."""
        self.reading.pop(unit, None)
        again = unit in self._again
        self._again.discard(unit)
        return again

    # Folders

    def listing_begins(self) -> None:
        """Take note that a listing begins: what was looked at before is no fresher than it."""
        self._fresh.clear()

    def happens_in(self, folder: str) -> None:
        """Take note that not all is at rest in a folder, though a listing may show what it did before."""
        self._folders.pop(folder, None)

    def is_as_before(self, look: Hashable, folder: str) -> bool:
        """Tell whether all in a folder was at rest when it last looked so."""
        return self._folders.get(folder) == look

    def compared(self, look: Hashable, folder: str, *, at_rest: bool) -> None:
        """Take note of what comparing a folder that looks so showed."""
        if at_rest and not any(unit.folder == folder for unit in self._fresh):
            self._folders[folder] = look
        else:
            self._folders.pop(folder, None)
