"""Has the folders that are listed next listed ahead, by processes, while a large scan lasts.

A listing that was made ahead is one like any other, but older. It counts where nothing was told, looked at or written
of its folder since it was asked for; the folders are compared in the order in which they would have been without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agent.errors import FolderUnavailable
from agent.folder.entries import unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from agent.core.listing_queue import ListingQueue
    from agent.folder.tree import Tree
    from agent.host.clock import Clocks
    from agent.model import Listing
    from agent.reading.processes.listings import Asked, ListingProcesses

MUCH = 20_000
"""Files that a scan has listed before processes are started for the others: a tenth of a second, as starting takes."""
FOLDERS = 4
"""Folders that a process is asked for at once: it does not wait while the agent takes in those of another."""
FEW = 2
"""Folders for which it is not worth to ask."""
LINGER = 5.0
"""Seconds without anything to list after which the processes end."""
WAITING_SECONDS = 0.01
"""How long an answer is waited for, before other things are done."""


class Early(NamedTuple):
    """A listing that was made ahead, asked for at `started` and `started_by_clock`; `seconds` of CPU it took."""

    listing: Listing
    started: float
    started_by_clock: float
    seconds: float


class _Ticket(NamedTuple):
    asked: Asked
    place: int
    marker: str | None
    inodes_last: bool
    started: float
    started_by_clock: float


class Ahead:
    """Listings that are made ahead of a queue. All methods are the loop's thread's.

    `cover` has the events of a folder told of from then on.
    """

    def __init__(
        self,
        tree: Tree,
        queue: ListingQueue,
        processes: ListingProcesses | None,
        *,
        clocks: Clocks,
        cover: Callable[[str], None],
    ) -> None:
        self._tree = tree
        self._queue = queue
        self._processes = processes
        self._clocks = clocks
        self.cover = cover
        self._tickets: dict[str, _Ticket] = {}
        self._files = 0
        self._idle_since: float | None = None
        self.known = True
        """Whether the folder before was at rest: then the next is likely to be, and it is asked for what tells so."""

    def listed(self, listing: Listing) -> None:
        """Take note of what was listed: how large the scan is."""
        self._files += len(listing.files)

    def ask(self, now: float) -> None:
        """Have the next folders listed, where that is worth it."""
        if self._processes is None or self._files < MUCH:
            return
        for _ in range(self._processes.room()):
            folders = self._queue.tell_next(now, FOLDERS)
            if len(folders) < FEW:
                return
            self._ask(self._processes, folders)

    def _ask(self, processes: ListingProcesses, folders: list[str]) -> None:
        started, started_by_clock = self._clocks.monotonic(), self._clocks.wall()
        wanted = []
        for folder in folders:
            try:
                marker = self._tree.rules.of(folder).ready_marker
            except FolderUnavailable:
                continue  # who lists it says so
            self.cover(folder)  # before it is looked into, so that nothing falls between
            wanted.append((folder, marker))
        inodes_last = self._tree.scanner.inodes_last
        asked = processes.ask(wanted, known=self.known)
        for place, (folder, marker) in enumerate(wanted):
            self._tickets[folder] = _Ticket(asked, place, marker, inodes_last, started, started_by_clock)

    def take(self, folder: str, marker: str | None) -> Generator[None, None, Early | None]:
        """Return the listing of a folder that is to be compared now, None where there is none that counts.

        Yields while it is waited for.
        """
        self._idle_since = None
        is_fresh, ticket = self._queue.still_told(folder), self._tickets.pop(folder, None)
        if self._processes is None or ticket is None or not is_fresh:
            return None
        while not self._processes.is_answered(ticket.asked, WAITING_SECONDS):
            yield
        found = (ticket.asked.found or ())[ticket.place : ticket.place + 1]
        listed = found[0] if found else None
        scanner = self._tree.scanner
        if listed is None or (ticket.marker, ticket.inodes_last) != (marker, scanner.inodes_last):
            return None
        if listed.root is None or listed.root != scanner.identity():
            return None  # it was away, or another one, which proves nothing of what is missing
        listing = listed.listing if listed.listing.seen else unpacked(listed.listing)
        return Early(listing, ticket.started, ticket.started_by_clock, listed.seconds)

    def idle(self, now: float) -> None:
        """Take note that there is nothing to list."""
        if self._idle_since is None:
            self._idle_since = now
        elif now - self._idle_since > LINGER and self._files:
            self.close()

    def close(self) -> None:
        """Let go of all that was asked for, and of the processes."""
        self._tickets, self._files = {}, 0
        if self._processes is not None:
            self._processes.rest()
