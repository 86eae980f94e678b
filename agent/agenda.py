"""Which folder is to be listed when. Pure: it is handed the time, in any monotonic number of seconds."""

from __future__ import annotations

import heapq
import math


class Agenda:
    """Folders that wait to be listed, each once, however often it is asked for and never sooner than it may be."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []
        self._listed_at: dict[str, float] = {}
        self._not_before: dict[str, float] = {}

    def want(self, folder: str, now: float) -> None:
        """Have a folder listed as soon as it may be."""
        at = max(now, self._not_before.get(folder, now))
        if at < self._listed_at.get(folder, math.inf):
            self._listed_at[folder] = at
            heapq.heappush(self._heap, (at, folder))

    def spare(self, folder: str, until: float) -> None:
        """Let a folder be wanted as it may, it is not listed before `until`."""
        self._not_before[folder] = until

    def forget(self, folder: str) -> None:
        """Forget until when a folder is spared: it is not there any more."""
        self._not_before.pop(folder, None)

    def take(self, now: float) -> str | None:
        """Return a folder whose time has come, None where there is none."""
        while self._heap and self._heap[0][0] <= now:
            at, folder = heapq.heappop(self._heap)
            if self._listed_at.get(folder) == at:
                del self._listed_at[folder]
                return folder
        return None

    def next_at(self) -> float | None:
        """Return when the next folder's time comes, None where none waits."""
        return self._heap[0][0] if self._heap else None
