"""How long a unit must stay unchanged, and what it waits for in words. Pure: it is handed both times.

`now` is in monotonic seconds, `wall` in seconds since 1970.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from agent.model import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.core.folder_rules import FolderRules
    from agent.model import Entry, Listing

FRESH_TEMPORARY = 3600.0
"""Seconds for which a temporary file that does not change keeps its folder unsettled: for most of a slow rsync nothing
else changes (measured)."""


@dataclass(frozen=True, slots=True)
class QuietTimes:
    """How long units must stay unchanged, in seconds; `marker` is the ready marker's name or ''.

    `expected` is the number of frames that a folder must hold, or None.
    """

    image: float
    sequence: float
    marker: str
    expected: int | None = None

    def under(self, rules: FolderRules) -> QuietTimes:
        """Return the same for a folder about which files in the watch folder say something."""
        if rules.ready_marker is None and rules.expected_frames is None:
            return self
        marker = self.marker if rules.ready_marker is None else rules.ready_marker
        return replace(self, marker=marker, expected=rules.expected_frames)

    @property
    def image_reason(self) -> str:
        """What a single image waits for, in words."""
        return _unchanged_for(self.image)

    def waits_for(self, listing: Listing, now: float, wall: float) -> tuple[float, float, str]:
        """Return a sequence's quiet time, until when it cannot settle at all, and both in words.

        A ready marker, or the number of frames, replaces the long quiet time, no more: rsync sends `_READY` before
        `frame_1`.
        """
        quiet = self.sequence
        if self.marker:
            if not listing.marker:
                return quiet, math.inf, f"waits for the ready marker {self.marker}"
            quiet = self.image
        if self.expected is not None:
            count = len(listing.files)
            if count < self.expected:
                return quiet, math.inf, f"waits for {self.expected:,} frames, has {count:,}"
            quiet = self.image
        name, left = freshest(listing.temporary, wall)
        if left > 0:
            return quiet, now + left, f"waits for {shown(name)} (a copy under way?)"
        return quiet, -math.inf, _unchanged_for(quiet)


@cache
def _unchanged_for(seconds: float) -> str:
    """Return one and the same text, however many units wait for it."""
    return f"waits until it has been unchanged for {seconds:g} s"


def freshest(temporary: Iterable[Entry], wall: float) -> tuple[str, float]:
    """Return the temporary file that stays fresh the longest, and for how many seconds; `wall` is the time by clock."""
    name, left = "", 0.0
    for entry in temporary:
        age = abs(wall - max(entry.stamp.mtime_ns, entry.stamp.ctime_ns) / 1e9)
        if FRESH_TEMPORARY - age > left:
            name, left = entry.name, FRESH_TEMPORARY - age
    return name, left
