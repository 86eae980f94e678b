"""Which folders are listed when, and what a listing says: sweep, rescan, and the looks that events bring forward.

What a listing shows is the truth; an event only says that a path is worth a look. The detector is handed the time and
never waits: the service calls `turn` in a loop.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from agent.core.fingerprints import is_at_rest
from agent.core.folder_rules import NAME, NO_FOLDERS
from agent.core.listing_queue import ListingQueue
from agent.core.names import Name
from agent.errors import FolderUnavailable
from agent.folder.changes import MANY_NAMES
from agent.ledger import seen
from agent.model import Kind, is_utf8, join, parent
from agent.model.units import UnitKey
from agent.noticing.compare import Comparison
from agent.noticing.lister import Lister

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable

    from agent.core.folder_rules import FolderRulesSource
    from agent.core.names import Filters
    from agent.folder.changes import Changes
    from agent.folder.scanner import Scanner
    from agent.noticing.intake import Intake
    from agent.noticing.messages import Finished

LOOKING_SECONDS = 0.2
"""How long a turn goes on looking at single images that are due,"""
LISTING_SECONDS = 0.02
"""and listing folders, before events have theirs."""
WRITE_AGAIN = 0.01


class Detector:
    """Finds units and gives them to the intake. All methods are the loop's thread's.

    `reads` is a ledger connection of this thread; `fed` is called after every folder listed; `wall` gives seconds
    since 1970, `monotonic` the seconds of `now`, `cpu` the processor seconds of the calling thread; `absence_is_proof`
    tells whether what is not listed was deleted; `cover` has the events of a folder told of from then on.
    """

    def __init__(
        self,
        scanner: Scanner,
        filters: Filters,
        intake: Intake,
        reads: sqlite3.Connection,
        *,
        fed: Callable[[], None],
        wall: Callable[[], float],
        monotonic: Callable[[], float],
        cpu: Callable[[], float],
        absence_is_proof: Callable[[], bool],
        folders: FolderRulesSource = NO_FOLDERS,
        cover: Callable[[str], None] = lambda _folder: None,
    ) -> None:
        self._scanner = scanner
        self._filters = filters
        self._intake = intake
        self._reads = reads
        self._fed = fed
        self._monotonic = monotonic
        self._absence_is_proof = absence_is_proof
        self._folder_settings = folders
        self._queue = ListingQueue()
        self._again: set[UnitKey] = set()
        self._lister = Lister(
            scanner,
            self._queue,
            Comparison(filters, intake, reads, self._again.add, monotonic=monotonic, absence_is_proof=absence_is_proof),
            folders,
            wall=wall,
            monotonic=monotonic,
            cpu=cpu,
            cover=cover,
        )

    @property
    def folders(self) -> int:
        """How many folders are known."""
        return len(self._lister.times)

    @property
    def unavailable(self) -> int:
        """How many folders could not be listed when it was last tried: what is in them is not known."""
        return len(self._lister.unavailable)

    def is_scanning(self, now: float) -> bool:
        """Tell whether folders wait to be listed now."""
        at = self._queue.next_at()
        return self._lister.under_way is not None or (at is not None and at <= now)

    def rescan(self, now: float) -> None:
        """List every known folder, and find those that are not known."""
        for folder in ("", *self._lister.times):
            self._queue.want(folder, now, hurry=False)

    def sweep(self, now: float) -> None:
        """List the folders whose times have changed, or are too fresh to be trusted.

        One whose frames are being read has its turn when they are written: its listing takes 30 MiB for 100,000.
        """
        times, busy = self._lister.times, self._intake.busy
        for folder in self._scanner.sweep(times):
            if folder == self._lister.under_way:  # its times were read as it began, and are not noted yet
                continue
            if times[folder] is not None or UnitKey(folder, Kind.SEQUENCE) not in busy:
                self._queue.want(folder, now, hurry=False)

    def close(self) -> None:
        """Let go of the folder that is being listed: a mount that goes away must not be held."""
        self._lister.close()

    def noticed(self, events: Iterable[Changes], now: float) -> None:
        """Look at the paths of events."""
        for event in events:
            folders, files = event.take()
            for folder in filter(self._enters, folders):
                if folder in self._lister.times:
                    self._want_all(folder, now)  # it may have been moved away and back: no folder in it is watched then
                self._queue.happens_in(folder, now)
            for folder, names in files.items():
                if self._enters(folder):
                    self._noticed_in(folder, names, now)

    def _noticed_in(self, folder: str, names: set[str], now: float) -> None:
        """Look at files of a folder; where they are many, not all of their names are known."""
        if NAME in names and self._folder_settings is not NO_FOLDERS:
            self._want_all(folder, now)
        kinds = {name: self._filters.classify(name) for name in names}
        if self._kind(folder, now) is Kind.IMAGE:
            images = [join(folder, name) for name, kind in kinds.items() if kind is Name.IMAGE]
            if len(names) > MANY_NAMES or folder not in self._lister.times or not all(map(is_utf8, images)):
                self._queue.happens_in(folder, now)
            else:
                for path in images:
                    self._look_at_image(UnitKey(path, Kind.IMAGE), now)
        elif len(names) > MANY_NAMES or not {Name.IMAGE, Name.TEMPORARY, Name.MARKER}.isdisjoint(kinds.values()):
            self._intake.settle.touch(UnitKey(folder, Kind.SEQUENCE), now)
            self._queue.happens_in(folder, now)

    def look(self, unit: UnitKey, now: float) -> None:
        """Look at a unit that somebody says has changed."""
        folder = unit.folder
        self._lister.stirs(folder)
        self._lister.looked_at(unit)
        if unit.kind is Kind.IMAGE and self._kind(folder, now) is Kind.IMAGE:
            self._look_at_image(unit, now)
        elif unit in self._intake.busy:
            self._again.add(unit)
        else:
            self._queue.want(folder, now)

    def look_at_settling(self, now: float) -> None:
        """Look at every unit that the ledger holds as settling and that does not wait here (a person's `retry`)."""
        for unit in seen.settling(self._reads):
            if unit not in self._intake.settle and unit not in self._intake.busy:
                self.look(unit, now)

    def finished(self, outcome: Finished, now: float) -> None:
        """Take note that a unit was read and written."""
        self._intake.release(outcome.unit)
        if outcome.state is None or outcome.unit in self._again:
            self._again.discard(outcome.unit)
            self.look(outcome.unit, now)

    def turn(self, now: float) -> float:
        """Do what is due; return the monotonic time of the next turn unless something comes before."""
        while self._monotonic() - now < LOOKING_SECONDS and (due := self._due(Kind.IMAGE, now)):
            self._look_at_image(due[0], now)
        if self._lister.under_way is None:  # one by one: a long sequence leaves no room to read the next
            for unit in self._due(Kind.SEQUENCE, now):
                self._queue.want(unit.path, now)
        began = self._monotonic()  # a slice there is in every turn, however long looking took
        while self._lister.go_on(now):
            self._fed()
            if self._monotonic() - began >= LISTING_SECONDS:
                break
        self._intake.flush(self._absence_is_proof)
        kinds = [kind for kind in Kind if self._intake.has_room(kind)]  # what is read makes room, and tells
        deadlines = [
            self._intake.settle.next_deadline(kinds),
            self._queue.next_at() if self._lister.under_way is None else now,
            now + WRITE_AGAIN if self._intake.unwritten else None,
        ]
        return min((at for at in deadlines if at is not None), default=math.inf)

    def _due(self, kind: Kind, now: float) -> list[UnitKey]:
        return self._intake.settle.due(now, 1, (kind,)) if self._intake.has_room(kind) else []

    def _look_at_image(self, unit: UnitKey, now: float) -> None:
        if unit in self._intake.busy:
            self._again.add(unit)
            return
        folder = parent(unit.path)
        self._lister.looked_at(unit)
        try:
            stamp = self._scanner.stamp(unit.path)
            rules = self._folder_settings.of(folder)
        except FolderUnavailable:
            self._queue.want(folder, now)  # which says so, and tries again until it can be told
            return
        if rules.is_stop or rules.kind_in(folder, Kind.IMAGE) is not Kind.IMAGE:
            self._lister.stirs(folder)
            self._intake.settle.forget(unit)
            self._queue.want(folder, now)
            return
        if stamp is not None and unit not in self._intake.settle:
            known = seen.newest(self._reads, unit)
            if known is not None and is_at_rest(*known, stamp):
                return
        # Not all is at rest in its folder now, though a listing may show what it did before this file came.
        self._lister.stirs(folder)
        if stamp is None:
            self._intake.miss(unit)
            self._queue.want(folder, now)
        else:
            self._intake.see_image(unit, stamp, now)

    def _enters(self, folder: str) -> bool:
        return all(self._filters.enters(part) for part in folder.split("/") if part)

    def _want_all(self, folder: str, now: float) -> None:
        """Have a folder and all below it listed."""
        below = f"{folder}/" if folder else ""
        for known in (folder, *(known for known in self._lister.times if known.startswith(below))):
            self._queue.want(known, now)

    def _kind(self, folder: str, now: float) -> Kind:
        """Return what the images in a folder are; where that cannot be told, the folder is to be listed."""
        otherwise = self._filters.kind(folder)
        try:
            return self._folder_settings.of(folder).kind_in(folder, otherwise)
        except FolderUnavailable:
            self._queue.want(folder, now)
            return otherwise
