"""Which folders are listed when, and what a listing says: sweep, rescan, and the looks that events bring forward.

What a listing shows is the truth; an event only says that a path is worth a look. The detector is handed the time and
never waits: the service calls `turn` in a loop.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from agent.core.entries import is_side_file
from agent.core.folder_rules import NAME
from agent.core.names import Name
from agent.core.retry import SIGHTS
from agent.errors import FolderUnavailable
from agent.folder.changes import MANY_NAMES
from agent.model import Kind, UnitKey, basename, is_utf8, join, parent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from agent.core.listing_queue import ListingQueue
    from agent.folder.changes import Changes
    from agent.folder.tree import Tree
    from agent.model import Times
    from agent.noticing.intake import Intake
    from agent.noticing.lister import Lister, Unlisted
    from agent.noticing.messages import Finished
    from agent.noticing.rest import Rest

LOOKING_SECONDS = 0.2
"""How long a turn goes on looking at single images that are due,"""
LISTING_SECONDS = 0.02
"""and listing folders, before events have theirs."""


class Detector:
    """Finds units and gives them to the intake. All methods are the loop's thread's.

    `absence_is_proof` tells whether what is not listed was deleted; `fed` is called after every folder listed.
    """

    def __init__(
        self,
        tree: Tree,
        queue: ListingQueue,
        rest: Rest,
        intake: Intake,
        lister: Lister,
        *,
        monotonic: Callable[[], float],
        flush: Callable[[], bool],
        fed: Callable[[], None] = lambda: None,
    ) -> None:
        self._tree = tree
        self._queue = queue
        self._rest = rest
        self._intake = intake
        self._lister = lister
        self._monotonic = monotonic
        self._flush = flush
        self._fed = fed
        self._in_turn: list[str] = []

    @property
    def folders(self) -> int:
        """How many folders are known that can be listed."""
        return len(self._lister.times) - len(self._lister.unavailable.keys() & self._lister.times.keys())

    @property
    def unavailable(self) -> Mapping[str, Unlisted]:
        """The folders that could not be listed when it was last tried: what is in them is not known."""
        return self._lister.unavailable

    def is_scanning(self, now: float) -> bool:
        """Tell whether folders wait to be listed now."""
        at = self._queue.next_at()
        return self._lister.under_way is not None or (at is not None and at <= now)

    def rescan(self, now: float) -> None:
        """List every known folder, and find those that are not known."""
        for folder in ("", *self._lister.times):
            self._queue.want(folder, now, hurry=False)

    def sweep(self, now: float, part: float = 1.0) -> None:
        """List the folders whose times have changed, or are too fresh to be trusted.

        Where it is a `part` of all, those in turn whose times are trusted: of the others events tell, too. One whose
        frames are being read has its turn when they are written: its listing takes 30 MiB for 100,000.
        """
        times, reading = self._lister.times, self._rest.reading
        for folder in self._tree.scanner.sweep(times if part >= 1.0 else self._part(part)):
            if folder == self._lister.under_way:  # its times were read as it began, and are not noted yet
                continue
            if part < 1.0 and self._lister.glances.want(folder, now):
                continue
            if times[folder] is not None or UnitKey(folder, Kind.SEQUENCE) not in reading:
                self._queue.want(folder, now, hurry=False)

    def _part(self, part: float) -> dict[str, Times | None]:
        """Return the next so many of the folders, and those whose times are too fresh to be trusted."""
        times = self._lister.times
        chosen: dict[str, Times | None] = {folder: None for folder, known in times.items() if known is None}
        for _ in range(math.ceil(part * len(times))):
            if not self._in_turn:
                self._in_turn = [*times]
            folder = self._in_turn.pop()
            if folder in times:
                chosen[folder] = times[folder]
        return chosen

    def close(self) -> None:
        """Let go of the folder that is being listed: a mount that goes away must not be held."""
        self._lister.close()

    def noticed(self, events: Iterable[Changes], now: float) -> None:
        """Look at the paths of events."""
        for event in events:
            folders, files = event.take()
            for folder in filter(self._tree.enters, folders):
                if folder in self._lister.times:
                    self._want_all(folder, now)  # it may have been moved away and back: no folder in it is watched then
                self._queue.happens_in(folder, now)
            for folder, names in files.items():
                if self._tree.enters(folder):
                    self._noticed_in(folder, names, now)
                else:
                    self._noticed_beside(folder, now)

    def _noticed_in(self, folder: str, names: set[str], now: float) -> None:
        """Look at files of a folder; where they are many, not all of their names are known."""
        if NAME in names and self._tree.has_rules:
            self._want_all(folder, now)
        kinds = {name: self._tree.filters.classify(name) for name in names}
        if self._kind(folder, now) is Kind.IMAGE:
            images = [join(folder, name) for name, kind in kinds.items() if kind is Name.IMAGE]
            images = [path for path in images if not self._tree.filters.ignores(path)]
            if len(names) > MANY_NAMES or folder not in self._lister.times or not all(map(is_utf8, images)):
                self._queue.happens_in(folder, now)
            else:
                for path in images:
                    self._look_at_image(UnitKey(path, Kind.IMAGE), now)
        elif len(names) > MANY_NAMES or not {Name.IMAGE, Name.TEMPORARY, Name.MARKER}.isdisjoint(kinds.values()):
            self._rest.waiting.touch(UnitKey(folder, Kind.SEQUENCE), now)
            self._queue.happens_in(folder, now)
        elif UnitKey(folder, Kind.SEQUENCE) in self._rest.waiting and not all(map(is_side_file, names)):
            self._queue.happens_in(folder, now)  # what it means for the folder, a listing tells

    def _noticed_beside(self, hidden: str, now: float) -> None:
        """Look at the waiting sequences that a hidden folder lies in, or above, in which something happened."""
        above = f"/{hidden}/".partition("/.")[0]
        for unit in [unit for unit in self._rest.waiting if unit.kind is Kind.SEQUENCE]:
            if f"/{unit.path}/".startswith(f"{above}/"):
                self._queue.happens_in(unit.path, now)

    def look(self, unit: UnitKey, now: float) -> None:
        """Look at a unit that somebody says has changed."""
        folder = unit.folder
        self._rest.happens_in(folder)
        self._lister.looks_at(unit)
        if unit.kind is Kind.IMAGE and self._kind(folder, now) is Kind.IMAGE:
            self._look_at_image(unit, now)
        elif unit in self._rest.reading:
            self._rest.look_again(unit)
        else:
            self._queue.want(folder, now)

    def look_at_settling(self, now: float) -> None:
        """Look at every unit that the ledger holds as settling and that does not wait here (a person's `retry`).

        What could not be read, and is not told as such any more, is tried at once: that was asked for.
        """
        self._intake.hurry(self._rest.reads.unreadable())
        for unit in self._rest.reads.settling():
            if unit not in self._rest.waiting and unit not in self._rest.reading:
                self.look(unit, now)

    def finished(self, outcome: Finished, now: float) -> None:
        """Take note that a unit was read and written."""
        again = self._intake.was_read(outcome.unit, outcome.state)
        if outcome.taken:
            self._intake.taken(outcome.unit, outcome.taken, now)
            self.look(outcome.unit, now)
            return
        if outcome.unread:
            self._intake.unread(outcome.unit, outcome.unread, now)
            self.look(outcome.unit, now)
            return
        self._intake.readable(outcome.unit)
        if outcome.changed:
            self.changed(outcome.unit, now)
        elif again or outcome.state is None:
            self.look(outcome.unit, now)

    def changed(self, unit: UnitKey, now: float) -> None:
        """Look at a unit that has changed while it was read or sent; it is left alone for a while."""
        self._intake.changed(unit, now)
        self.look(unit, now)

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
        self._lister.glances.go_on(now)
        is_behind = self._flush()
        kinds = [kind for kind in Kind if self._intake.has_room(kind)]  # what is read makes room, and tells
        deadlines = [
            self._rest.waiting.next_deadline(kinds),
            self._queue.next_at() if self._lister.under_way is None else now,
            self._lister.glances.next_at(now),
            now + SIGHTS.seconds() if is_behind else None,
        ]
        return min((at for at in deadlines if at is not None), default=math.inf)

    def _due(self, kind: Kind, now: float) -> list[UnitKey]:
        return self._rest.waiting.due(now, 1, (kind,)) if self._intake.has_room(kind) else []

    def _look_at_image(self, unit: UnitKey, now: float) -> None:
        if unit in self._rest.reading:
            self._rest.look_again(unit)
            return
        folder = parent(unit.path)
        self._lister.looks_at(unit)
        try:
            stamp = self._tree.scanner.stamp(unit.path)
            rules = self._tree.rules.of(folder)
        except FolderUnavailable:
            self._queue.want(folder, now)  # which says so, and tries again until it can be told
            return
        if rules.is_stop or rules.kind_in(folder, Kind.IMAGE) is not Kind.IMAGE:
            self._rest.happens_in(folder)
            self._rest.waiting.forget(unit)
            self._queue.want(folder, now)
            return
        if stamp is not None and unit not in self._rest.waiting:
            row = self._rest.reads.newest(unit)
            if self._rest.is_like(row, stamp):
                return
            if row is None:
                self._lister.glances.came(folder, basename(unit.path), stamp.inode)
        # Not all is at rest in its folder now, though a listing may show what it did before this file came.
        self._rest.happens_in(folder)
        if stamp is None:
            self._intake.miss(unit)
            self._queue.want(folder, now)
        else:
            self._intake.see_image(unit, stamp, now)

    def _want_all(self, folder: str, now: float) -> None:
        """Have a folder and all below it listed."""
        below = f"{folder}/" if folder else ""
        for known in (folder, *(known for known in self._lister.times if known.startswith(below))):
            self._queue.want(known, now)

    def _kind(self, folder: str, now: float) -> Kind:
        """Return what the images in a folder are; where that cannot be told, the folder is to be listed."""
        try:
            return self._tree.kind(folder, self._tree.rules.of(folder))
        except FolderUnavailable:
            self._queue.want(folder, now)
            return self._tree.filters.kind(folder)
