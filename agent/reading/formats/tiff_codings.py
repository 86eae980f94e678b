"""Was a doubtful part of a TIFF's picture data written? Of three codings that can be known by a strip or tile alone.

- Deflate ends in a checksum of what comes out.
- PackBits gives as many bytes as the strip's rows have (the last one's may be filled up).
- LZW cannot hold the same byte some hundred times: a code that follows itself becomes a longer one.

The others (JPEG within TIFF, CCITT, ...) can lack a part within, and nothing here sees it: a hole is warned of.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.reading.formats.source import Source
    from agent.reading.formats.tiff_layout import Layout

LZW, DEFLATE, OLD_DEFLATE, PACKBITS = 5, 8, 32946, 32773
PROVED = (LZW, DEFLATE, OLD_DEFLATE, PACKBITS)
_CHUNK = 64 * 1024
_MOST_BYTES = 1 << 30  # that come out of a file; hostile ones are not looked at any further
_LOOK = 4096  # what looking for a run's strips is counted as
_LEAST = 256


class CodedParts:
    """Looks at doubtful parts of a file's coded pages, up to a bound of all together."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._left = _MOST_BYTES

    def never_written(self, page: Layout, doubtful: list[tuple[int, int]]) -> tuple[int, int] | None:
        """Return the first run of doubtful bytes, in order, that proves to be no picture data; None: nothing is."""
        if not doubtful or page.coding not in PROVED:
            return None
        parts = sorted(zip(page.offsets, page.counts, range(len(page.offsets)), strict=True))
        next_place = 0
        for begin, end in doubtful:
            self._left -= _LOOK
            first = max(next_place, bisect_left(parts, (begin,)) - 1)
            for place in range(first, bisect_left(parts, (end,))):
                offset, count, index = parts[place]
                run = max(begin, offset), min(end, offset + count)
                if run[1] <= run[0]:
                    continue
                self._left -= max(page.part_bytes, 16 * count)
                if self._left < 0:
                    return None
                if not self._holds(page, index, run):
                    return run
                next_place = place + (page.coding != LZW)
        return None

    def _holds(self, page: Layout, index: int, run: tuple[int, int]) -> bool:
        if page.coding == LZW:
            return run[1] - run[0] < _LEAST or len(set(self._source.peek(_LEAST, run[0]))) > 1
        offset, end = page.offsets[index], page.offsets[index] + page.counts[index]
        coded = (self._source.peek(min(_CHUNK, end - at), at) for at in range(offset, end, _CHUNK))
        check = _unpacks if page.coding == PACKBITS else _inflates
        return check(coded, page.needed(index), page.part_bytes)


def _inflates(coded: Iterator[bytes], needed: int, most: int) -> bool:
    inflating = zlib.decompressobj()
    length = 0
    try:
        for chunk in coded:
            rest = chunk
            while rest and not inflating.eof:
                length += len(inflating.decompress(rest, _CHUNK))
                rest = inflating.unconsumed_tail
                if length > most + _CHUNK:
                    return False
    except zlib.error:
        return False
    return inflating.eof or length in (needed, most)


def _unpacks(coded: Iterator[bytes], needed: int, most: int) -> bool:
    at = length = 0
    for chunk in coded:
        while at < len(chunk):
            head = chunk[at]
            if head < 128:
                length += head + 1
                at += head + 2
            elif head > 128:
                length += 257 - head
                at += 2
            else:
                at += 1
        at -= len(chunk)
    return length - at in (needed, most)
