"""Does a PNG of 16 bits hold values of 12? A page shows the high byte of each: it is nearly black there.

Depth and thermal cameras, and raw data, are stored like that.
"""

from __future__ import annotations

import zlib
from itertools import accumulate

_MOST_BYTES = 1024 * 1024
_MOST_ROWS = 4096
_AT_ONCE = 64 * 1024
_LONGEST_ROW = 256 * 1024
_EXACT_EVERY = 8

_DARKEST = bytes(range(16))
"""High bytes of values of at most 12 bits."""
_NEAR = _DARKEST + bytes(range(241, 256))
"""What any filter makes of these: one less another, or less a mean of two."""
_COLOURS = {0: (1, 1), 2: (3, 3), 4: (2, 1), 6: (4, 3)}
"""Samples a pixel, and how many of these are no alpha, by colour type."""
_NONE, _SUB, _UP, _AVERAGE, _PAETH = range(5)
_OF_THE_FIRST_ROW = {_UP: _NONE, _PAETH: _SUB}
"""What comes to the same where there is no row above."""


class Samples:
    """The values of a PNG of 16 bits that is not interlaced: hand it the picture data with `feed`, then ask `warning`.

    Looked at is the first MiB of pixels, of at most 4,096 rows, and no more once one value needs more than 12 bits: in
    most others one of the first row does. Rows of more than 256 KiB are not looked at.

    To undo the filters (PNG specification, chapter 9) takes Python many times as long as to unpack, so not all are. A
    filtered high byte that is 16 steps or more from nothing proves a bright value. Exactly known are each row's first
    pixel, rows that were not filtered, the first of all, and each 8th of those filtered by themselves alone. All dark
    pictures count as dark; and so may one that is dark in all of these, and elsewhere either rises from it in steps
    below 4,096 or leaps to values above 61,695 and back.

    A picture of zeros is black, which nobody wonders at, and one whose values all have two equal bytes shows as the one
    of 8 bits that it was.
    """

    def __init__(self, width: int, colour: int) -> None:
        samples, self._colours = _COLOURS[colour]
        self._step = 2 * samples
        self._row = 1 + self._step * width
        self._first = [0] * self._colours
        """The high bytes of the first pixel in the row before."""
        self._unpack = zlib.decompressobj()
        self._unpacked = b""
        self._bytes = self._rows = self._next_exact = 0
        self._is_dark = self._row <= _LONGEST_ROW
        self._is_over = not self._is_dark
        self._has_16_bits = False
        self.is_broken = False
        """Whether the picture data cannot be unpacked."""

    @property
    def warning(self) -> str | None:
        """The sentence for a dark picture."""
        if not self._is_dark or not self._has_16_bits:
            return None
        return (
            "all or nearly all of its values need at most 12 of their 16 bits: annotators see it nearly black (stretch "
            "them to all 16 bits, or to 8, if it is to be seen)"
        )

    def feed(self, piece: memoryview) -> None:
        """Look at the next part of the picture data."""
        data: memoryview | bytes = piece
        while len(data) and not self._is_over:
            try:
                unpacked = self._unpack.decompress(data, _AT_ONCE)
            except zlib.error:
                self.is_broken = self._is_over = True
                return
            data = self._unpack.unconsumed_tail
            self._bytes += len(unpacked)
            self._look(self._unpacked + unpacked)
            seen_enough = self._bytes >= _MOST_BYTES or self._rows >= _MOST_ROWS
            self._is_over = not self._is_dark or self._unpack.eof or seen_enough

    def _look(self, unpacked: bytes) -> None:
        """Look at the whole rows of what was unpacked, and keep the rest."""
        at = 0
        while at + self._row <= len(unpacked) and self._is_dark and self._rows < _MOST_ROWS:
            self._look_at(unpacked[at], unpacked[at + 1 : at + self._row])
            at += self._row
        self._unpacked = unpacked[at:]

    def _look_at(self, filtered: int, row: bytes) -> None:
        if not self._rows:
            filtered = _OF_THE_FIRST_ROW.get(filtered, filtered)
        is_summed = filtered == _SUB and self._rows >= self._next_exact
        if is_summed:
            self._next_exact = self._rows + _EXACT_EVERY
        self._rows += 1
        for colour in range(self._colours):
            high = row[2 * colour :: self._step]
            if not self._has_16_bits:  # the filters are the same for both bytes
                self._has_16_bits = high != row[2 * colour + 1 :: self._step]
            if is_summed:
                high = bytes(value & 255 for value in accumulate(high))
            first = self._first[colour] = _first(filtered, high[0], self._first[colour])
            is_exact = is_summed or filtered == _NONE
            if first > _DARKEST[-1] or high.translate(None, _DARKEST if is_exact else _NEAR):
                self._is_dark = False


def _first(filtered: int, high: int, above: int) -> int:
    """Undo a row's filter for its first pixel, which has no other beside it."""
    if filtered in (_UP, _PAETH):
        return high + above & 255
    return high + above // 2 & 255 if filtered == _AVERAGE else high
