"""Which folder is to be listed when. Pure: it is handed the time, in any monotonic number of seconds."""

from __future__ import annotations

import heapq
import math

LULL = 0.05
"""A folder in which things happen is listed once nothing has happened for this many seconds: while a burst lasts, a
listing is old before it is over, and slows down the reading of events (measured)."""
PATIENCE = 5.0
"""It is listed all the same after this many seconds."""
SHARE = 10
"""Listing a folder takes at most one in this many seconds,"""
CREDIT = 10.0
"""counted over this many seconds, so that the listing that ends a burst need not wait."""
KEPT = 1000
"""Folders beyond which it is looked which of them are spared still: 10,000 that are not would be kept for ever."""


class ListingQueue:
    """Folders that wait to be listed, each once, however often it is asked for and never sooner than it may be."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []
        self._listed_at: dict[str, float] = {}
        self._not_before: dict[str, float] = {}
        self._most_kept = KEPT
        self._stirred: dict[str, tuple[float, float]] = {}  # when first and last

    def want(self, folder: str, now: float, *, hurry: bool = True) -> None:
        """Have a folder listed as soon as it may be; without `hurry` not while things happen in it."""
        if folder in self._stirred and not hurry:
            return
        self._stirred.pop(folder, None)
        self._put(folder, max(now, self._not_before.get(folder, now)))

    def happens_in(self, folder: str, now: float) -> None:
        """Take note that something happens in a folder: it is listed when that is over."""
        if folder in self._stirred:
            self._stirred[folder] = (self._stirred[folder][0], now)
        elif folder not in self._listed_at:
            self._stirred[folder] = (now, now)
            self._put(folder, max(now + LULL, self._not_before.get(folder, now)))

    def hold_back(self, folder: str, until: float) -> None:
        """Let a folder be wanted as it may, it is not listed before `until`."""
        self._not_before[folder] = until

    def listed(self, folder: str, now: float, seconds: float) -> None:
        """Take note that a folder was listed, which took so long."""
        self._not_before[folder] = max(self._not_before.get(folder, -math.inf), now - CREDIT) + SHARE * seconds
        if len(self._not_before) > self._most_kept:
            self._not_before = {each: at for each, at in self._not_before.items() if at > now - CREDIT}
            self._most_kept = max(KEPT, 2 * len(self._not_before))

    def forget(self, folder: str) -> None:
        """Forget until when a folder is spared: it is not there any more."""
        self._not_before.pop(folder, None)

    def take(self, now: float) -> str | None:
        """Return a folder whose time has come, None where there is none."""
        while self._heap and self._heap[0][0] <= now:
            at, folder = heapq.heappop(self._heap)
            if self._listed_at.get(folder) != at:
                continue
            del self._listed_at[folder]
            if not self._listed_at:
                self._listed_at.clear()  # what had room for all folders of a scan is given back
            first, last = self._stirred.get(folder, (at, -math.inf))
            not_yet = max(min(last + LULL, first + PATIENCE), self._not_before.get(folder, now))
            if not_yet > now:  # it was stirred again, or wanted while it was being listed
                self._put(folder, not_yet)
                continue
            self._stirred.pop(folder, None)
            return folder
        return None

    def next_at(self) -> float | None:
        """Return when the next folder's time comes, None where none waits."""
        return self._heap[0][0] if self._heap else None

    def _put(self, folder: str, at: float) -> None:
        if at < self._listed_at.get(folder, math.inf):
            self._listed_at[folder] = at
            heapq.heappush(self._heap, (at, folder))
