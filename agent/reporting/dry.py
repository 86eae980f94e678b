"""Noticing with another clock, and another place for what it decides: nothing is written, and nothing waited for.

The age since the last change stands for the quiet time. All else is the code of a running agent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent.core.quiet_times import Quiet, QuietTimes
from agent.folder.tree import Tree
from agent.host.clock import Clocks
from agent.host.workers import AtOnce
from agent.ledger.reads_for_noticing import ReadsForNoticing
from agent.model import Kind
from agent.noticing.start import noticing
from agent.reading import full
from agent.reading.ahead import MOST
from agent.reading.examiner import FileExaminer
from agent.reading.reader import Reader
from agent.reading.readers import Readers
from agent.service.folder import folders_of, scanner_of
from agent.settings.parts import filters_of, image_rules_of, quiet_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from agent.core.folder_rules import FolderRules, FolderRulesSource
    from agent.errors import FolderUnavailable
    from agent.folder.scanner import Scanner
    from agent.model import File, Listing, Unit, UnitKey
    from agent.model.units import Sight
    from agent.noticing.messages import NotWritten
    from agent.noticing.start import Noticing
    from agent.settings.settings import Settings

    Ahead = Callable[[Sequence[Callable[[], None]]], None]
    Take = Callable[[UnitKey, Callable[[], Unit]], None]

CLOCKS = Clocks()


class Notes:
    """A book that is a list: what waits, what is held, which folders cannot be listed. Nothing is written."""

    is_behind = False

    def __init__(self) -> None:
        self.waiting: dict[UnitKey, Sight] = {}
        self.held: list[Sight] = []
        self.refused: list[Sight] = []
        self.unlisted: dict[str, str] = {}

    def notice(self, unit: UnitKey, sight: Sight) -> None:
        """Note what a unit waits for."""
        self.waiting[unit] = sight

    def withdraw(self, unit: UnitKey) -> bool:
        """Take note that a unit does not wait."""
        return self.waiting.pop(unit, None) is not None

    def hold(self, sight: Sight, code: str) -> None:  # noqa: ARG002
        """Note a unit that would be held unread."""
        self.held.append(sight)

    def refuse(self, sight: Sight) -> None:
        """Note a file of no kind that is taken."""
        self.refused.append(sight)

    def leave_alone(self, unit: UnitKey, reason: str) -> None:
        """Do nothing: what is left alone is in no plan."""

    def miss(self, unit: UnitKey) -> None:
        """Do nothing: what is not there is in no plan."""

    def cannot_list(self, folder: str, error: FolderUnavailable, *, again: bool) -> None:  # noqa: ARG002
        """Note a folder of which nothing is known, and go on; give up where it is all of them."""
        if not folder:
            raise error
        self.unlisted[folder] = str(error)

    def put_back(self, message: NotWritten) -> None:
        """Do nothing: nothing is written."""

    def flush(self, absence_is_proof: Callable[[], bool]) -> None:
        """Do nothing: nothing is written."""


class Here:
    """Has `take` decide about a settled unit at once, in the thread that noticed it."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self.taken: list[UnitKey] = []

    def take(self, unit: UnitKey, read: Callable[[], Unit]) -> None:
        """Decide, and keep in mind that it was done."""
        self._take(unit, read)
        self.taken.append(unit)


class OnlyKinds:
    """What the folders' settings say of kinds and of what is to be ignored: for who holds nothing back."""

    def __init__(self, folders: FolderRulesSource) -> None:
        self._folders = folders

    def of(self, folder: str) -> FolderRules:
        """Return what holds in a folder, with nothing that holds its units."""
        return replace(self._folders.of(folder), problem=None, expected_frames=None)


class NoWait(QuietTimes):
    """The quiet times of who takes what is there as it is."""

    def under(self, rules: FolderRules) -> QuietTimes:  # noqa: ARG002
        """Return the same: no file of settings makes this wait."""
        return self

    def of(self, listing: Listing) -> Quiet:  # noqa: ARG002
        """Return that a sequence waits for nothing: what is there is all that is wanted."""
        return Quiet(0.0, "", is_proof=True)


class Together:
    """A pool that does what it was handed at the end of a turn; `ahead` is told of it first, piece by piece."""

    count = 1

    def __init__(self, ahead: Ahead) -> None:
        self._ahead = ahead
        self._works: list[Callable[[], None]] = []

    def submit(self, work: Callable[[], None]) -> None:
        """Have `work` done at the end of the turn."""
        self._works.append(work)

    def flush(self) -> None:
        """Do all that there is."""
        works, self._works = self._works, []
        for first in range(0, len(works), MOST):
            together = works[first : first + MOST]
            self._ahead(together)
            for work in together:
                work()

    def close(self, seconds: float) -> bool:  # noqa: ARG002
        """Return that nothing is left to do."""
        return True


@dataclass(frozen=True, slots=True)
class Dry:
    """Noticing that writes nothing: what it has found so far, and the parts that find it."""

    notes: Notes
    here: Here
    parts: Noticing
    images: Together

    def turns(self) -> Iterator[None]:
        """Look at all there is, and yield after every turn."""
        clock = CLOCKS.monotonic
        self.parts.detector.rescan(clock())
        while self.parts.detector.is_scanning(clock()):
            self.parts.detector.turn(clock())
            self.images.flush()
            while self.here.taken:
                self.parts.intake.was_read(self.here.taken.pop(), None)
            yield

    def look(self, unit: UnitKey) -> None:
        """Look at one unit, and no further."""
        now = CLOCKS.monotonic()
        self.parts.detector.look(unit, now)
        while self.parts.lister.go_on(now) and self.parts.lister.under_way is not None:
            pass
        self.images.flush()


def dry_noticing(
    settings: Settings,
    scanner: Scanner,
    reads: ReadsForNoticing,
    take: Take,
    *,
    waits: bool = True,
    ahead: Ahead = lambda _works: None,
) -> Dry:
    """Return noticing that hands what has settled, and how it is read, to `take`.

    Where nothing is waited for (`waits`), all that is there has settled, and no file of settings holds it. `ahead` is
    told of the images of a turn before they are read.
    """
    folders = folders_of(settings, scanner)
    order, doubt = settings.sequence_order, settings.sequence_order_doubt
    rules = image_rules_of(settings)
    full.require(rules)
    reader = Reader(FileExaminer(scanner, rules=rules), settings.sequence_gaps, order=order, doubt=doubt, rules=rules)
    notes, here, images = Notes(), Here(take), Together(ahead)
    parts = noticing(
        Tree(scanner, filters_of(settings), folders if waits else OnlyKinds(folders)),
        reads,
        quiet_of(settings) if waits else NoWait(0.0, 0.0, ""),
        Readers(reader, {Kind.IMAGE: images, Kind.SEQUENCE: AtOnce()}),
        book=notes,
        decider=here,
        quiet_since=_since_last_change,
    )
    return Dry(notes, here, parts, images)


def look_at(settings: Settings, unit: UnitKey) -> Notes:
    """Return what noticing notes of a unit, whatever the ledger knows: nothing where it has settled.

    Raises FolderUnavailable.
    """
    scanner = scanner_of(settings)
    with ReadsForNoticing.of_nothing() as nothing_known:
        dry = dry_noticing(settings, scanner, nothing_known, lambda _unit, _read: None)
        dry.look(unit)
    return dry.notes


def _since_last_change(files: Iterable[File], now: float) -> float:
    """Return when files were changed last, by their own times, in the seconds of `now`."""
    changed_at = max(max(mtime_ns, ctime_ns) for _, _, mtime_ns, ctime_ns, _ in files) / 1e9
    return now - abs(CLOCKS.wall() - changed_at)
