"""Does a raster's data end in bytes that were never written? Small looks at any offset.

Uncompressed pixels carry no end, and a file whose space was reserved but not filled (half-copied over SMB, by a
downloader that allocates first) ends in zeros that decode as black. `zero_tail` tells the two apart where it can.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from agent.reading.formats.source import zeros

if TYPE_CHECKING:
    from agent.reading.formats.source import Source


_RUN = bytes(32)
_ROWS_BEFORE = 4
_ROWS_AFTER = 2
_MOST_HOLES = 10_000


class Block(NamedTuple):
    """Pixel data: `rows` rows of `width` bytes, `stride` bytes apart; stride 0: `width` compressed bytes."""

    offset: int
    stride: int
    width: int
    rows: int

    @property
    def end(self) -> int:
        """The offset just after the last byte of pixels."""
        return self.offset + self.stride * (self.rows - 1) + self.width


def zero_tail(source: Source, blocks: list[Block]) -> str | None:
    """Return a sentence where the pixel data ends in zeros that were never written. The source was drained.

    - Compressed data does not end in 16 zeros.
    - Less than one row that is not zero: there is no picture, whether black or unwritten.
    - A cut stops within a row of dense picture: neither this row up to there nor, from there on, the 4 rows before
      hold a run of 32 zeros, while the rest of this row and at least 2 rows more are nothing else. A border, a mask,
      a lens's dark corner or a line of camera registers at the edge does not look like that (see the tests).

    Not to be known: a cut within the last 7 bytes of a row, in the last 2 rows, in the first row of a
    tile or in its padding, or where the picture is nearly black there as well. These pass, with a warning
    where they are a hole (`hole_warnings`).
    """
    blocks = sorted(blocks)
    end, written = max((block.end for block in blocks), default=0), source.content_end
    if written >= end:
        return None
    index = max((at for at, block in enumerate(blocks) if block.offset < written), default=0)
    block, later = blocks[index], blocks[index + 1 :]
    if not block.stride or (later and not later[-1].stride):
        return zeros(end - written) if end - written >= 16 else None
    row = (written - 1 - block.offset) // block.stride
    column = written - block.offset - row * block.stride
    one_row = block.rows == 1 and not later  # or packed in a way that is not known
    no_picture = written <= block.offset or (index == row == 0 and column < block.width and not one_row)
    if no_picture:
        return zeros(end - written)
    if not later and block.rows - row - 1 < _ROWS_AFTER:
        return None
    start = block.offset + row * block.stride
    before = range(1, 1 + min(_ROWS_BEFORE, row))
    lines = [source.peek(block.width - column, start + column - at * block.stride) for at in before]
    dense = _RUN not in source.peek(column, start) and all(_is_dense(line) for line in lines)
    return zeros(end - written) if lines and dense else None


def hole_warnings(source: Source, blocks: list[Block]) -> tuple[str, ...]:
    """Return a sentence where the file has holes within pixels that prove nothing, which none can tell from black.

    No proof: tools that leave out blocks of zeros (`cp --sparse=always`, `rsync -S`) make such holes in black areas.
    """
    if not blocks:
        return ()
    ordered = sorted(blocks)
    holes = source.holes(ordered[0].offset, max(block.end for block in ordered))
    found = [hole for hole in islice(holes, _MOST_HOLES) if _touches(ordered, hole)]
    if not found:
        return ()
    count = sum(last - first for first, last in found)
    where = f"{count:,} bytes of its pixels, from byte {found[0][0]:,} on, are a hole in the file and read as zeros"
    return (f"{where}: never written, or black and left out by the tool that copied it",)


def _touches(ordered: list[Block], hole: tuple[int, int]) -> bool:
    """Tell whether a hole lies in the last block that begins before its end: blocks do not lie within each other."""
    index = bisect_left(ordered, (hole[1],)) - 1
    return index >= 0 and ordered[index].end > hole[0]


def _is_dense(line: bytes) -> bool:
    """Tell whether part of a row is picture without black; a short part must hold no zero at all."""
    return _RUN not in line if len(line) >= len(_RUN) else len(line) >= 8 and 0 not in line
