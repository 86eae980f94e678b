"""The run-length codings of BMP: whether the data leads to its end mark, within the file and the picture's rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agent.reading.formats.source import cut_short

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.reading.formats.source import Source

CODED_BITS = {1: (8,), 2: (4,), 4: (24,)}
"""Each coding's number (BI_RLE8, BI_RLE4, and 24 bits of OS/2), and the bits of a pixel in it."""

_RUNS = {
    4: re.compile(rb"(?:[^\0].)*+", re.DOTALL),
    8: re.compile(rb"(?:[^\0].)*+", re.DOTALL),
    24: re.compile(rb"(?:[^\0]...)*+", re.DOTALL),
}
_WINDOW = 64 * 1024
_LONGEST = 2 + 3 * 255 + 1
_MOST_ESCAPES = 2_000_000  # real ones have some thousand
_LINE, _END, _MOVE = 0, 1, 2
_MARK = b"\0\1"


def has_mark(source: Source, offset: int, ends: Iterable[int]) -> bool:
    """Tell whether the end mark stands before one of these ends, where it can: each part has an even size."""
    possible = [end for end in ends if end > offset and (end - offset) % 2 == 0]
    return any(source.peek(2, end - 2) == _MARK for end in possible)


def follow(source: Source, offset: int, bits: int, rows: int) -> str | None:
    """Go from run to run up to the end mark; return the problem's sentence, None where there is none.

    Zeros are ends of lines: where a part was never written there are more of these than rows.
    """
    row = place = 0
    base, window = offset, b""
    for _ in range(_MOST_ESCAPES):
        if len(window) - place < _LONGEST and base + len(window) < source.size:
            base, place = base + place, 0
            window = source.peek(min(_WINDOW, source.size - base), base)
        runs = _RUNS[bits].match(window, place)
        place = runs.end() if runs else place
        if len(window) - place < 4 and base + len(window) < source.size:
            continue
        escape = window[place : place + 4]
        if len(escape) < 2 or escape[0]:
            return cut_short("the BMP's data has no end mark") if row != rows else None
        if escape[1] == _END:
            return None
        step, down = _step(escape, bits)
        row, place = row + down, place + step
        if row > rows:
            return cut_short(f"the BMP's data has more than its {rows:,} lines at byte {base + place:,}")
    return f"damaged: more than {_MOST_ESCAPES:,} parts; save it again"


def _step(escape: bytes, bits: int) -> tuple[int, int]:
    """Return how many bytes an escape takes, and how many rows it goes on by."""
    what = escape[1]
    if what == _LINE:
        return 2, 1
    if what == _MOVE:
        return 4, escape[3] if len(escape) == 4 else 0
    count = (what * bits + 7) // 8
    return 2 + count + count % 2, 0
