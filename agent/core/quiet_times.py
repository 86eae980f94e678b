"""How long a unit must stay unchanged at the least, and what it waits for in words. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.core.folder_rules import FolderRules
    from agent.model import Listing


@dataclass(frozen=True, slots=True)
class Quiet:
    """How long a folder must stay unchanged, in seconds, and what it waits for in words.

    `with_holes`: how long, at the least, where its numbering has holes. `is_blocked`: it cannot settle as it is.
    `is_proof`: as many frames as are expected are there.
    """

    seconds: float
    reason: str
    with_holes: float = 0.0
    is_blocked: bool = False
    is_proof: bool = False


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

    def of(self, listing: Listing) -> Quiet:
        """Return what a sequence has to wait for at the least.

        A ready marker, or the number of frames, replaces the long quiet time, no more: parallel tools send an empty
        `_READY` long before a large frame (measured), and at times before they have begun with it, which shows as a
        hole in the numbering alone: then a marker does not make the time shorter.
        """
        seconds, is_proof = self.sequence, False
        if self.marker:
            if not listing.marker:
                return Quiet(seconds, f"waits for the ready marker {self.marker}", is_blocked=True)
            seconds = self.image
        if self.expected is not None:
            count = len(listing.files)
            if count < self.expected:
                return Quiet(seconds, f"waits for {self.expected:,} frames, has {count:,}", is_blocked=True)
            seconds, is_proof = self.image, True
        return Quiet(seconds, _unchanged_for(seconds), 2 * self.sequence, is_proof=is_proof)


@cache
def _unchanged_for(seconds: float) -> str:
    """Return one and the same text, however many units wait for it."""
    return f"waits until it has been unchanged for {seconds:g} s"
