"""What a folder's listing means, beside the ledger and what waits: which units are new, changed, missing, held.

A listing is the truth; what looks like its row is at rest and costs nothing more.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from agent.ledger import looks
from agent.model import Kind, Stamp, is_utf8, join, shown
from agent.plan import fingerprint_of, is_at_rest
from agent.settle import UnitKey

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterator

    from agent.filters import Filters
    from agent.folder_settings import FolderRules
    from agent.intake import Intake
    from agent.model import Listing

log = logging.getLogger(__name__)

COMPARED_TOGETHER = 5000


class Comparison:
    """Compares listings and gives what is not at rest to the intake.

    `again` is told of a unit that is to be looked at once more when it has been read.
    """

    def __init__(
        self, filters: Filters, intake: Intake, reads: sqlite3.Connection, again: Callable[[UnitKey], None]
    ) -> None:
        self._filters = filters
        self._intake = intake
        self._reads = reads
        self._again = again

    def at_rest(self, listing: Listing, seen: int, now: float, rules: FolderRules) -> bool:
        """Compare a folder with the ledger, by the rules that hold in it; return whether all in it is at rest."""
        kind = rules.kind_in(listing.folder, self._filters.kind(listing.folder))
        if rules.ignore:
            for unit in looks.unsent_in(self._reads, listing.folder, looks.Span()):
                self._intake.leave_alone(unit, rules.why_ignored)
            for unit in [unit for unit in self._intake.settle if unit.folder == listing.folder]:
                self._intake.leave_alone(unit, rules.why_ignored)
            return True
        if kind is Kind.IMAGE and rules.problem is None:
            return self._images_at_rest(listing, now)
        if kind is Kind.SEQUENCE and rules.why_held(len(listing.files)) is None:
            return self._sequence_at_rest(listing, seen, now, rules)
        return self._held(listing, kind, rules)

    def _held(self, listing: Listing, kind: Kind, rules: FolderRules) -> bool:
        """Have the units of a folder held; return whether that was done for all of them."""
        sizes = {join(listing.folder, name): size for name, size, *_ in listing.files}
        units = {UnitKey(path, kind): (1, sizes[path]) for path in told_apart(sizes)}
        if kind is Kind.SEQUENCE:
            whole = UnitKey(listing.folder, kind)
            units = {whole: (len(sizes), sum(sizes.values()))} if sizes else {}
        reason = rules.why_held(len(sizes)) or ""
        for unit, (frames, size) in units.items():
            if unit not in self._intake.busy:  # what is being read is stopped before it is sent
                self._intake.hold(unit, reason, frames, size)
        self.miss(listing.folder, {shown(unit.path) for unit in units}, kind)
        return not any(unit in self._intake.busy for unit in units)

    def _images_at_rest(self, listing: Listing, now: float) -> bool:
        """Compare a folder of single images with the ledger; return whether all of them are at rest."""
        self._intake.settle.forget(UnitKey(listing.folder, Kind.SEQUENCE))
        at_rest = True
        for span, files in _pieces(listing):
            known = looks.images_in(self._reads, listing.folder, span)
            for path, stamp in files.items():
                unit = UnitKey(path, Kind.IMAGE)
                row = known.get(shown(path))
                if unit in self._intake.busy:
                    at_rest = False
                elif unit in self._intake.settle or row is None or not is_at_rest(*row, stamp):
                    at_rest = False
                    self._intake.see_image(unit, stamp, now)
            self.miss(listing.folder, set(map(shown, files)), Kind.IMAGE, span)
        return at_rest

    def _sequence_at_rest(self, listing: Listing, seen: int, now: float, rules: FolderRules) -> bool:
        """Compare a folder of frames with the ledger; return whether it is at rest."""
        unit = UnitKey(listing.folder, Kind.SEQUENCE)
        self.miss(listing.folder, {shown(listing.folder)} if listing.files else set(), Kind.SEQUENCE)
        if not listing.files:
            self._intake.settle.forget(unit)
            return True
        if unit in self._intake.busy:
            self._again(unit)
            return False
        row = None if unit in self._intake.settle else looks.newest(self._reads, unit)
        if row is not None and is_at_rest(*row, fingerprint_of(listing.files)):
            return True
        self._intake.see_sequence(unit, listing, seen, now, rules)
        return False

    def miss(self, folder: str, present: set[str], kind: Kind, span: looks.Span = looks.Span()) -> None:  # noqa: B008
        """Note the unsent units of a folder that its listing does not show, or shows as another kind."""
        for unit in looks.unsent_in(self._reads, folder, span):
            if unit.kind is not kind or unit.path not in present:
                self._intake.miss(unit)


def _pieces(listing: Listing) -> Iterator[tuple[looks.Span, dict[str, Stamp]]]:
    """Cut the images of a folder into pieces, paths with stamps, whose spans together cover all paths there can be.

    Comparing 100,000 images with their rows at once would take 60 MiB.
    """
    files = sorted(listing.files, key=lambda file: shown(file[0]))
    if not all(is_utf8(file[0]) for file in files):
        apart = set(told_apart({join(listing.folder, file[0]) for file in files}))
        files = [file for file in files if join(listing.folder, file[0]) in apart]
    after, start = "", 0
    while True:
        piece = {join(listing.folder, name): Stamp(*stamp) for name, *stamp in files[start : start + COMPARED_TOGETHER]}
        start += COMPARED_TOGETHER
        if start >= len(files):
            yield looks.Span(after), piece
            return
        upto = shown(next(reversed(piece)))
        yield looks.Span(after, upto), piece
        after = upto


def told_apart(paths: Collection[str]) -> Iterator[str]:
    r"""Yield the paths of one folder but for those that the ledger could not tell from another one's.

    The byte E9 is shown as `\xe9`, and a file may be called just that: each would undo what is written of the other.
    """
    for path in paths:
        if not is_utf8(path) and shown(path) in paths:
            log.warning("%s: its name is not UTF-8, and another one is called just that: rename it", shown(path))
        else:
            yield path
