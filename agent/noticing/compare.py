"""What a folder's listing means, beside the ledger and what waits: which units are new, changed, missing, held.

A listing is the truth; what looks like its row is at rest and costs nothing more.
"""

from __future__ import annotations

import logging
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING

from agent.core.fingerprints import is_at_rest
from agent.core.left_out import why_refused
from agent.core.states import NOTED, State
from agent.ledger.seen import Span
from agent.model import Kind, Stamp, is_utf8, join, shown
from agent.model.files import RUN, PackedFiles
from agent.model.journal import about
from agent.model.units import UnitKey

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence

    from agent.core.folder_rules import FolderRules
    from agent.folder.tree import Tree
    from agent.ledger.seen import Seen
    from agent.model import File, Listing
    from agent.noticing.intake import Intake
    from agent.noticing.rest import Rest

log = logging.getLogger(__package__)

COMPARED_TOGETHER = 500
"""Images that are compared with their rows in one go."""


class Comparison:
    """Compares listings and gives what is not at rest to the intake. All methods are the loop's thread's.

    `monotonic` gives the seconds of a listing's `started`; `absence_is_proof` tells whether what is not listed was
    deleted.
    """

    def __init__(
        self,
        tree: Tree,
        rest: Rest,
        intake: Intake,
        *,
        monotonic: Callable[[], float],
        absence_is_proof: Callable[[], bool],
    ) -> None:
        self._tree = tree
        self._rest = rest
        self._intake = intake
        self._monotonic = monotonic
        self._absence_is_proof = absence_is_proof

    def compare(self, listing: Listing, rules: FolderRules, started: float) -> Generator[None, None, bool]:
        """Compare a folder with the ledger, by the rules that hold in it; return whether all in it is at rest.

        Yields now and then, so that the caller can do other things between.
        """
        kind = self._tree.kind(listing.folder, rules)
        if rules.ignore:
            for unit in self._rest.reads.unsent_in(listing.folder, Span()):
                self._intake.leave_alone(unit, rules.why_ignored)
            for unit in [unit for unit in self._rest.waiting if unit.folder == listing.folder]:
                self._intake.leave_alone(unit, rules.why_ignored)
            return True
        if kind is Kind.IMAGE and rules.problem is None:
            return (yield from self._images_at_rest(listing, self._refuse(listing)))
        if kind is Kind.SEQUENCE and rules.why_held(len(listing.files)) is None:
            return self._sequence_at_rest(listing, started, rules)
        return self._held(listing, kind, rules)

    def _refuse(self, listing: Listing) -> set[str]:
        """Have the files told that stand alone and are of no kind that is taken; return their paths, as shown."""
        taken, refused = self._tree.filters.extensions, set()
        for entry in listing.others:
            reason = why_refused(entry.name, taken)
            if reason is None:
                continue
            unit = UnitKey(join(listing.folder, entry.name), Kind.IMAGE)
            refused.add(shown(unit.path))
            row = self._rest.reads.newest(unit)  # each by itself: beside it there may be 100,000 images
            if row is None or row[0] in (State.SETTLING, State.GONE):
                self._intake.refuse(unit, reason, entry.stamp.size)
        return refused

    def _held(self, listing: Listing, kind: Kind, rules: FolderRules) -> bool:
        """Have the units of a folder held; return whether that was done for all of them."""
        sizes = {join(listing.folder, name): size for name, size, *_ in listing.files}
        units = {UnitKey(path, kind): (1, sizes[path]) for path in told_apart(sizes)}
        if kind is Kind.SEQUENCE:
            whole = UnitKey(listing.folder, kind)
            units = {whole: (len(sizes), sum(sizes.values()))} if sizes else {}
        reason = rules.why_held(len(sizes)) or ""
        for unit, (frames, size) in units.items():
            if unit not in self._rest.reading:  # what is being read is stopped before it is sent
                self._intake.hold(unit, reason, frames, size)
        missed = self.miss(listing.folder, {shown(unit.path) for unit in units}, kind)
        return not missed and not any(unit in self._rest.reading for unit in units)

    def _images_at_rest(self, listing: Listing, refused: set[str]) -> Generator[None, None, bool]:
        """Compare a folder of single images with the ledger; return whether all of them are at rest.

        Those that were `refused` are there as well.
        """
        self._intake.miss_waiting(UnitKey(listing.folder, Kind.SEQUENCE))
        is_proof = self._absence_is_proof()  # now, too: a slice is compared long after it was listed
        at_rest, seeks = is_proof, self._intake.seeks
        ordered = yield from _in_order(listing)
        for span, files in _pieces(listing.folder, ordered):
            new: list[UnitKey] = []
            known, now = self._rest.rows_of_images(listing.folder, span), self._monotonic()
            for path, stamp in files.items():
                unit = UnitKey(path, Kind.IMAGE)
                row = known.get(shown(path))
                if self._rest.is_moving(unit):
                    at_rest = False  # what waits is looked at when it is due
                    if self._rest.waiting.is_blocked(unit, now) and not self._rest.is_fresher(unit):
                        self._intake.see_image(unit, stamp, now)  # no event may have told that what blocks it is over
                elif row is None or not (is_at_rest(*row, stamp) or self._rest.is_like(row, stamp)):
                    at_rest = False
                    self._intake.see_image(unit, stamp, now)
                    new.append(unit)
                elif seeks:
                    self._intake.is_here(unit)
            self._rest.waiting.gather(listing.folder, new)
            if is_proof and self.miss(listing.folder, refused | set(map(shown, files)), Kind.IMAGE, span, known):
                at_rest = False
            if isinstance(span.upto, str):
                self._rest.passed(listing.folder, span.upto)
            yield
        return at_rest

    def _sequence_at_rest(self, listing: Listing, started: float, rules: FolderRules) -> bool:
        """Compare a folder of frames with the ledger; return whether it is at rest."""
        unit = UnitKey(listing.folder, Kind.SEQUENCE)
        if not listing.files:
            missed = self.miss(listing.folder, self._refuse(listing), Kind.IMAGE, has_units=False)
            self._intake.miss_waiting(unit)
            return not missed
        missed = self.miss(listing.folder, {shown(listing.folder)}, Kind.SEQUENCE)
        if unit in self._rest.reading:
            self._rest.look_again(unit)
            return False
        if unit not in self._rest.waiting and self._rest.are_like_their_row(unit, listing.files):
            self._intake.is_here(unit)
            return True
        self._intake.see_sequence(unit, listing, started, rules, took=self._monotonic() - started)
        return False

    def miss(
        self,
        folder: str,
        present: set[str],
        kind: Kind,
        span: Span = Span(),  # noqa: B008
        images: Mapping[str, Seen] | None = None,
        *,
        has_units: bool = True,
    ) -> bool:
        """Note the units of a folder that its listing does not show, or the unsent ones that it shows as another kind.

        `images` are the rows of a span's single images, as they were read already; a folder that has no units
        (`has_units`) may still hold files that are refused. Returns whether any was missed: until their rows are
        written, not all is at rest.
        """
        reads = self._rest.reads
        expected = (reads.unsent_in if present and has_units else reads.listed_in)(folder, span)
        missed = [unit for unit in expected if unit.kind is not kind or unit.path not in present]
        if present and images is not None:
            missed += [UnitKey(path, kind) for path in images.keys() - present if images[path][0] in NOTED]
        missed = [unit for unit in missed if not self._rest.is_fresher(unit)]
        for unit in missed:
            self._intake.miss(unit)
        return bool(missed)

    def miss_folder(self, folder: str) -> None:
        """Note the units in and below a folder that is not there any more."""
        for name in self._rest.reads.folders_below(folder):
            self.miss(name, set(), Kind.SEQUENCE)
        for unit in [unit for unit in self._rest.waiting if f"{unit.path}/".startswith(f"{folder}/")]:
            self._intake.miss(unit)

    def miss_other_folders(self, there: Collection[str], unknown: Collection[str]) -> bool:
        """Note the units in folders that the ledger knows and that are not there; return whether there were any.

        What lies in an `unknown` folder may be there.
        """
        odd = {shown(folder) for folder in there if not is_utf8(folder)}
        hidden = tuple(f"{shown(folder)}/" for folder in unknown)
        known = (folder for folder in self._rest.reads.folders() if not f"{folder}/".startswith(hidden))
        gone = [folder for folder in known if folder not in there and folder not in odd]
        return sum(self.miss(folder, set(), Kind.SEQUENCE) for folder in gone) > 0  # all of them, not up to the first


def _sortable(listing: Listing) -> tuple[Sequence[File], Callable[[File], str] | None]:
    """Return the images that the ledger can tell from each other, and by what to sort them as it does."""
    files = listing.files
    if files.is_utf8 if isinstance(files, PackedFiles) else all(is_utf8(file[0]) for file in files):
        return listing.files, None
    apart = set(told_apart({join(listing.folder, file[0]) for file in listing.files}))
    told = [file for file in listing.files if join(listing.folder, file[0]) in apart]
    return told, lambda file: shown(file[0])


def _in_order(listing: Listing) -> Generator[None, None, Iterator[File]]:
    """Return the images that the ledger can tell from each other in its order; yield now and then."""
    alike, key = _sortable(listing)
    if isinstance(alike, PackedFiles):
        return merge(*alike.runs())
    runs = []
    for start in range(0, len(alike), RUN):
        runs.append(sorted(alike[start : start + RUN], key=key))
        yield
    return merge(*runs, key=key)


def _pieces(folder: str, ordered: Iterator[File]) -> Iterator[tuple[Span, dict[str, Stamp]]]:
    """Cut the images of a folder into pieces, paths with stamps, whose spans together cover all paths there can be.

    Comparing 100,000 images with their rows at once would take 60 MiB.
    """
    after, piece = "", list(islice(ordered, COMPARED_TOGETHER))
    while True:
        files = {join(folder, name): Stamp(*stamp) for name, *stamp in piece}
        piece = list(islice(ordered, COMPARED_TOGETHER))
        if not piece:
            yield Span(after), files
            return
        upto = shown(next(reversed(files)))
        yield Span(after, upto), files
        after = upto


def told_apart(paths: Collection[str]) -> Iterator[str]:
    r"""Yield the paths of one folder but for those that the ledger could not tell from another one's.

    The byte E9 is shown as `\xe9`, and a file may be called just that: each would undo what is written of the other.
    """
    for path in paths:
        if not is_utf8(path) and shown(path) in paths:
            told = "%s: its name is not UTF-8, and another one is called just that: rename it"
            log.warning(told, shown(path), extra=about(shown(path)))
        else:
            yield path
