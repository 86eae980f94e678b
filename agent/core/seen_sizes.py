"""How large frames are as they are seen, and which way up: browsers turn what is stored as its EXIF says. Pure.

By CIPA DC-008 (Exif 2.32), 4.6.4: an orientation of 1 is shown as it is stored; from 5 on the stored lines are columns.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Pixels = tuple[int, int]
"""A width and a height."""

_LISTED_SIZES = 3
_LINES_ARE_COLUMNS = 5
_TURNS = (
    "not turned",
    "mirrored",
    "upside down",
    "mirrored and upside down",
    "mirrored and a quarter to the left",
    "a quarter to the right",
    "mirrored and a quarter to the right",
    "a quarter to the left",
)
"""How pictures of the orientations 1 to 8 are turned to be seen."""


def seen(pixels: Pixels, orientation: int) -> Pixels:
    """Return the width and height that a picture has where it is seen."""
    width, height = pixels
    return (height, width) if orientation >= _LINES_ARE_COLUMNS else pixels


class SeenSizes:
    """Is shown how large the frames of a sequence are, and how they are turned."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[Pixels, int]] = Counter()
        self._same: dict[Pixels, Pixels] = {}

    def see(self, pixels: Pixels | None, orientation: int) -> Pixels | None:
        """Look at the next frame, and return its pixels, as one object where they are equal.

        Those of 100,000 frames would take 11 MiB.
        """
        if pixels is None:
            return None
        pixels = self._same.setdefault(pixels, pixels)
        self._counts[pixels, orientation] += 1
        return pixels

    def warnings(self) -> Iterator[str]:
        """Yield sentences about frames that are not seen as of one size, and about those that are turned differently.

        What is stored with other sides and turned to be seen alike needs no word.
        """
        sizes: Counter[Pixels] = Counter()
        turns: Counter[int] = Counter()
        for (pixels, orientation), count in self._counts.items():
            sizes[seen(pixels, orientation)] += count
            turns[orientation] += count
        if len(sizes) > 1:
            yield f"the frames are not all of one size in pixels: {_listed(sizes)}"
        if len(turns) > 1 and (len(sizes) > 1 or len(self._counts) > len(self._same)):
            ranked = sorted(turns.items(), key=lambda item: (-item[1], item[0]))
            told = ", ".join(f"{count} {_TURNS[turn - 1]} ({turn})" for turn, count in ranked)
            yield f"the frames are not all turned alike to be seen (EXIF orientation): {told}"


def _listed(sizes: Counter[Pixels]) -> str:
    ranked = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))
    listed = [f"{count} of {width}x{height}" for (width, height), count in ranked[:_LISTED_SIZES]]
    rest = len(ranked) - _LISTED_SIZES
    return ", ".join(listed) + (f" and {rest} more sizes" if rest > 0 else "")
