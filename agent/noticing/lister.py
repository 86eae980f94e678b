"""Lists one folder at a time, in slices, and has each listing compared: between two slices the loop does other things.

A folder of 100,000 images takes a second to list and to compare; what is dropped meanwhile must not wait for that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agent.core.retry import FOLDER
from agent.errors import FolderUnavailable
from agent.noticing.compare import told_apart
from agent.noticing.glances import Glances

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from agent.core.listing_queue import ListingQueue
    from agent.folder.inodes import InodeWatch
    from agent.folder.tree import Tree
    from agent.host.clock import Clocks
    from agent.model import Times
    from agent.model.units import UnitKey
    from agent.noticing.book import Book
    from agent.noticing.compare import Comparison
    from agent.noticing.rest import Rest

HIDDEN_COVERED = 16
"""Hidden folders in each folder whose events are had."""
CLEAN_AGE = 2.0
"""A folder's times are trusted where they were this old, in seconds, before it was listed: two changes may share one
tick of the clock."""


class Unlisted(NamedTuple):
    """A folder that cannot be listed: since when, in the queue's seconds, and why."""

    since: float
    reason: str


class Lister:
    """Lists the folders of a queue. All methods are the loop's thread's.

    `clocks.monotonic` gives the queue's seconds; `cover` has the events of a folder told of from then on.
    """

    def __init__(
        self,
        tree: Tree,
        queue: ListingQueue,
        rest: Rest,
        comparison: Comparison,
        inodes: InodeWatch,
        *,
        book: Book,
        clocks: Clocks,
        cover: Callable[[str], None] = lambda _folder: None,
    ) -> None:
        self._tree = tree
        self._queue = queue
        self._rest = rest
        self._comparison = comparison
        self._inodes = inodes
        self._book = book
        self._clocks = clocks
        self._cover = cover
        self.times: dict[str, Times | None] = {}  # None: changed too lately for its times to be trusted
        self.glances = Glances(tree.scanner, queue, clocks.monotonic)
        self.unavailable: dict[str, Unlisted] = {}
        self.others: dict[str, int] = {}
        """How many files of each folder are no pictures, where there are any."""
        self.under_way: str | None = None
        """The folder whose listing has begun and is not over."""
        self._knows_folders = False
        self._slices: Generator[None, None, bool] | None = None
        self._clock = clocks.monotonic
        self._seconds = 0.0
        self._now = 0.0

    def go_on(self, now: float) -> bool:
        """Take a slice of the listing that is under way, or of the next one; return whether there was one."""
        self._now = now
        slices, folder = self._slices, self.under_way
        self._slices = self.under_way = None  # one that raises is over
        if slices is None or folder is None:
            folder = self._queue.take(now)
            if folder is None:
                return False
            self._clock, self._seconds = self._clocks.monotonic, 0.0
            slices = self._list(folder)
        clock, started = self._clock, self._clock()
        try:
            next(slices)
        except StopIteration as over:
            if over.value:
                self._queue.listed(folder, now, self._seconds + clock() - started)
        else:
            self._slices, self.under_way = slices, folder
            self._seconds += clock() - started
        return True

    def close(self) -> None:
        """Give up the listing that is under way, and the folder that it holds open."""
        self.glances.close()
        if self._slices is not None:
            self._slices.close()
        self._slices = self.under_way = None

    def scanned(self) -> bool:
        """Take note that all folders were listed: after the first time, find those that went while nobody looked.

        What lies below one that cannot be listed may be there; it is looked for when that can be.
        Returns whether there were any, which are to be written.
        """
        if self._knows_folders or "" in self.unavailable or "" not in self.times:
            return False
        self._knows_folders = not self.unavailable
        return self._comparison.miss_other_folders(self.times, self.unavailable)

    def looks_at(self, unit: UnitKey) -> None:
        """Take note of a look at a unit, which is fresher than the listing that is under way."""
        if self.under_way is not None:
            self._rest.looks_at(unit)

    def _list(self, folder: str) -> Generator[None, None, bool]:
        """List a folder and compare it with the ledger and with what waits; return whether it could be listed."""
        self._rest.listing_begins()
        started, started_by_clock = self._clocks.monotonic(), self._clocks.wall()
        self._cover(folder)  # before it is looked into, so that nothing falls between
        try:
            rules = self._tree.rules.of(folder)
            yield from self.glances.before_listing(folder)
            listing = yield from self._tree.scanner.slices(folder, rules.ready_marker)
        except FolderUnavailable as error:
            self._book.cannot_list(folder, error, again=folder in self.unavailable)
            self._queue.hold_back(folder, self._now + FOLDER.seconds())
            since = self.unavailable[folder].since if folder in self.unavailable else self._now
            self.unavailable[folder] = Unlisted(since, str(error))
            self._queue.want(folder, self._now)
            return False
        self.unavailable.pop(folder, None)
        self.others.pop(folder, None)
        if listing is None:
            self._is_gone(folder)
            return False
        if count := sum(self._tree.is_other(entry.name) for entry in listing.others):
            self.others[folder] = count
        for hidden in listing.hidden[:HIDDEN_COVERED]:
            self._cover(hidden)  # who writes in them may be on the way to this one
        for subfolder in told_apart(listing.subfolders):
            if subfolder not in self.times:
                self.times[subfolder] = None
                self._queue.want(subfolder, self._now)
        self._inodes.sample(listing)
        self._clock = self._clocks.cpu  # from the next slice on: comparing may wait for the ledger, and that is no work
        yield
        look = (listing.fingerprint, rules, self._tree.left_out(listing))
        if not self._rest.is_as_before(look, folder):
            try:
                at_rest = yield from self._comparison.compare(listing, rules, started)
            except Exception:
                self.times[folder] = None  # not compared, though its times may be as they were: the next sweep wants it
                raise
            self._rest.compared(look, folder, at_rest=at_rest)
        self.glances.listed(listing)
        is_old = abs(started_by_clock - listing.times.ctime_ns / 1e9) >= CLEAN_AGE
        self.times[folder] = listing.times if is_old else None
        return True

    def _is_gone(self, folder: str) -> None:
        self._comparison.miss_folder(folder)  # first: where it raises, the next sweep finds again that it is gone
        for name in [name for name in self.times if name == folder or name.startswith(f"{folder}/")]:
            del self.times[name]
            self.unavailable.pop(name, None)
            self.others.pop(name, None)
            self._rest.happens_in(name)
            self._queue.forget(name)
