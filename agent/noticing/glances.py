"""Looks briefly at large folders in which things come one by one, in place of listing them again and again.

200,000 known images beside one new one a second took 11 % of a core, since each change of the folder had all of it
listed and compared. Where events tell of each, a look of 0.1 s every half minute proves that they told of all.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from agent.core.glance import Glance
from agent.errors import FolderUnavailable
from agent.folder.entries import glance
from agent.model.files import FEW

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from agent.core.listing_queue import ListingQueue
    from agent.folder.scanner import Scanner
    from agent.model import Listing

EVERY_SECONDS = 28.0
LATE_SECONDS = 2.0
"""So long after a look events may tell of what it showed."""
SLICE_SECONDS = 0.02


class Glances:
    """Knows the large folders, and looks at those that have changed. All methods are the loop's thread's."""

    def __init__(self, scanner: Scanner, queue: ListingQueue, monotonic: Callable[[], float]) -> None:
        self._scanner = scanner
        self._queue = queue
        self._monotonic = monotonic
        self._large: set[str] = set()
        self._asked: set[str] = set()
        self._known: dict[str, Glance] = {}
        self._not_before: dict[str, float] = {}
        self._wanted: dict[str, float] = {}
        self._under_way: tuple[str, Generator[None, None, int | None]] | None = None
        self._late: dict[str, tuple[float, int]] = {}

    def before_listing(self, folder: str) -> Generator[None, None, None]:
        """Look at a large folder that is about to be listed, once a look at it was wanted: without events none is."""
        self._forget(folder)
        if folder in self._asked and self._scanner.inodes_last:
            seen = yield from glance(self._scanner, folder)
            if seen is not None:
                self._known[folder] = Glance(seen)

    def listed(self, listing: Listing) -> None:
        """Take note that a folder was listed, and all in it is at rest or on its way."""
        if len(listing.files) < FEW:
            self._large.discard(listing.folder)
            self._asked.discard(listing.folder)
            self._forget(listing.folder)
        else:
            self._large.add(listing.folder)

    def came(self, folder: str, name: str, inode: int) -> None:
        """Take note of a file that no row is of."""
        if folder in self._known:
            self._known[folder].came(name, inode)

    def want(self, folder: str, now: float) -> bool:
        """Have a folder that has changed looked at, soon; False where it must be listed for that."""
        if folder in self._large:
            self._asked.add(folder)
        if folder not in self._known or not self._scanner.inodes_last:
            return False
        if folder not in self._late:
            self._wanted.setdefault(folder, max(now, self._not_before.get(folder, now)))
        return True

    def next_at(self, now: float) -> float:
        """Return when `go_on` has something to do."""
        ats = (*self._wanted.values(), *(at for at, _ in self._late.values()))
        return now if self._under_way is not None else min(ats, default=math.inf)

    def go_on(self, now: float) -> None:
        """Look for a while at a folder whose time has come."""
        for folder in [folder for folder, (at, _) in self._late.items() if at <= now]:
            _, seen = self._late.pop(folder)
            if not self._known[folder].is_explained(seen):
                self._list(folder, now)
        if self._under_way is None:
            wanted = next((folder for folder, at in self._wanted.items() if at <= now), None)
            if wanted is None:
                return
            del self._wanted[wanted]
            self._not_before[wanted] = now + EVERY_SECONDS
            self._known[wanted].begins()
            self._under_way = wanted, glance(self._scanner, wanted)
        folder, slices = self._under_way
        began = self._monotonic()
        try:
            while self._monotonic() - began < SLICE_SECONDS:
                next(slices)
        except StopIteration as over:
            self._under_way = None
            if over.value is None:
                self._list(folder, now)
            else:
                self._late[folder] = now + LATE_SECONDS, over.value
        except FolderUnavailable:
            self._list(folder, now)  # which says so

    def close(self) -> None:
        """Give up the look that is under way, and the folder that it holds open."""
        if self._under_way is not None:
            self._under_way[1].close()
        self._under_way = None

    def _list(self, folder: str, now: float) -> None:
        self._forget(folder)
        self._queue.want(folder, now, hurry=False)

    def _forget(self, folder: str) -> None:
        for kept in (self._known, self._wanted, self._late):
            kept.pop(folder, None)
        if self._under_way is not None and self._under_way[0] == folder:
            self.close()
