"""Where every unit and every folder is: on its way, or at rest. The one place that knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.fingerprints import fingerprint_of, is_at_rest, odd_looks
from agent.core.settling import Settling
from agent.core.states import UNSENT
from agent.model import shown

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from agent.folder.inodes import InodeWatch
    from agent.ledger.reads_for_noticing import ReadsForNoticing
    from agent.ledger.seen import Seen, Span
    from agent.model import File, Stamp, UnitKey


class Rest:
    """A unit is at rest where its newest row looks like its files; all others wait, are read, or were just looked at.

    A folder is at rest where all in it was, as its last listing showed it. All methods are the loop's thread's, whose
    ledger connection `reads` is.
    """

    def __init__(self, reads: ReadsForNoticing, inodes: InodeWatch) -> None:
        self.reads = reads
        self._inodes = inodes
        self.waiting = Settling()
        self.reading: dict[UnitKey, int] = {}
        """The units that are being read, with the number of their files."""
        self._again: set[UnitKey] = set()
        self._fresh: set[UnitKey] = set()
        self._fresh_in: set[str] = set()
        self._passed: tuple[str, str] = ("", "")
        self._folders: dict[str, Hashable] = {}
        self._look: Hashable = None

    # Units

    def is_moving(self, unit: UnitKey) -> bool:
        """Tell whether a unit waits, is read, or was looked at since the listing that is compared began."""
        return unit in self.reading or unit in self.waiting or unit in self._fresh

    def looks_at(self, unit: UnitKey) -> None:
        """Take note of a look that is fresher than the listing under way."""
        self._fresh_in.add(unit.folder)
        if not self._is_passed(unit):
            self._fresh.add(unit)

    def is_fresher(self, unit: UnitKey) -> bool:
        """Tell whether a unit was looked at since the listing that is compared began: what that says of it is old."""
        return unit in self._fresh

    def is_like(self, row: Seen | None, stamp: Stamp) -> bool:
        """Tell whether the row of a single image is of a file that looks so."""
        if row is None:
            return False
        return is_at_rest(*row, stamp) or (is_at_rest(*row, stamp.without_inode()) and self._inodes.odd(1))

    def was_sent_so(self, unit: UnitKey, stamp: Stamp) -> bool:
        """Tell whether the newest row of a single image is done with, and of a file that looks so."""
        row = self.reads.newest(unit)
        return row is not None and row[0] not in UNSENT and self.is_like(row, stamp)

    def are_like_their_row(self, unit: UnitKey, files: Sequence[File]) -> bool:
        """Tell whether the newest row of a sequence is of files that look so."""
        return self._are_like(self.reads.newest(unit), unit, files)

    def were_sent_so(self, unit: UnitKey, files: Sequence[File]) -> bool:
        """Tell whether the newest row of a sequence is done with, and of files that look so."""
        row = self.reads.newest(unit)
        return row is not None and row[0] not in UNSENT and self._are_like(row, unit, files)

    def _are_like(self, row: Seen | None, unit: UnitKey, files: Sequence[File]) -> bool:
        if row is None or is_at_rest(*row, fingerprint_of(files)):
            return row is not None
        state, known = row
        if known is None or not is_at_rest(state, known, known):
            return False
        odd = odd_looks(self.reads.files_like(unit, len(files), sum(file[1] for file in files)), files)
        return odd is not None and (not odd or self._inodes.odd(odd))

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
        self._fresh_in.clear()
        self._passed = ("", "")

    def passed(self, folder: str, upto: str) -> None:
        """Take note that the single images of a folder were compared up to a path: which are fresher is asked no more.

        While 200,000 new ones are listed most of them are looked at again, and read.
        """
        self._passed = (folder, upto)
        self._fresh = {unit for unit in self._fresh if not self._is_passed(unit)}

    def _is_passed(self, unit: UnitKey) -> bool:
        folder, upto = self._passed
        return bool(upto) and unit.folder == folder and shown(unit.path) <= upto

    def happens_in(self, folder: str) -> None:
        """Take note that not all is at rest in a folder, though a listing may show what it did before."""
        self._folders.pop(folder, None)

    def is_as_before(self, look: Hashable, folder: str) -> bool:
        """Tell whether all in a folder was at rest when it last looked so."""
        return self._folders.get(folder) == look

    def compared(self, look: Hashable, folder: str, *, at_rest: bool) -> None:
        """Take note of what comparing a folder that looks so showed."""
        if at_rest and folder not in self._fresh_in:
            # One for all empty folders that follow each other: a look takes 64 bytes, and there may be 10,000.
            self._look = self._look if self._look == look else look
            self._folders[folder] = self._look
        else:
            self._folders.pop(folder, None)
