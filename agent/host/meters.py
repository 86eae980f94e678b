"""What the stages have counted since there was the ledger, in memory: any of them may count, in any thread.

Kept where the loop says that it is alive; a number never falls, also over a restart.
"""

from __future__ import annotations

import math
import threading
from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

POSTS = "posts"
REPEATED = "retries"
UPLOADS = "uploads"
UPLOADED_BYTES = "uploaded_bytes"
POST_SECONDS = "post_seconds"
POST_COUNT = "post_count"
"""The counters: POSTS by outcome, POST_COUNT by the bound of their time, the others without a label."""
BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, math.inf)
"""Seconds: a POST is counted under the least bound that it did not take longer than."""

Counted = tuple[str, str]
"""A counter's name, and its label, '' where it has none."""


class Meters:
    """Numbers that only grow, from those that were kept. Used by any thread."""

    def __init__(self, kept: Mapping[Counted, float] | None = None) -> None:
        self._lock = threading.Lock()
        self._sums: dict[Counted, float] = dict(kept or {})

    def posted(self, outcome: str, seconds: float, *, again: bool) -> None:
        """Count a request for a job that took so long; `again`: it was not the first for its job."""
        bound = BOUNDS[bisect_left(BOUNDS, seconds)]
        with self._lock:
            self._add(POSTS, outcome, 1)
            self._add(POST_COUNT, f"{bound:g}", 1)
            self._add(POST_SECONDS, "", max(0.0, seconds))
            if again:
                self._add(REPEATED, "", 1)

    def uploaded(self, size: int) -> None:
        """Count a file that was uploaded, and its bytes."""
        with self._lock:
            self._add(UPLOADS, "", 1)
            self._add(UPLOADED_BYTES, "", size)

    def sums(self) -> dict[Counted, float]:
        """Return how far all counters are, together at one moment."""
        with self._lock:
            return dict(self._sums)

    def _add(self, name: str, label: str, by: float) -> None:
        self._sums[name, label] = self._sums.get((name, label), 0.0) + by
