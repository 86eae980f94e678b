"""Whether the frames of a sequence are of one size. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_LISTED_SIZES = 3


def sizes_warning(counts: Mapping[tuple[int, int], int]) -> str | None:
    """Return a sentence where frames have more than one size, given how many have each (width, height), or None."""
    if len(counts) < 2:
        return None
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    listed = [f"{count} of {width}x{height}" for (width, height), count in ranked[:_LISTED_SIZES]]
    rest = len(ranked) - _LISTED_SIZES
    more = f" and {rest} more sizes" if rest > 0 else ""
    return f"the frames are not all of one size in pixels: {', '.join(listed)}{more}"
