"""The directories of a TIFF: the tags of each that are of use here. By TIFF 6.0 and the BigTIFF design page."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from agent.reading.formats.source import BrokenError, cut_short

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.reading.formats.source import Source

# Of all directories together, entries and values that are read. Real ones have two values for each strip.
_MOST_VALUES = 1_000_000

_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_LETTERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
WIDTH, HEIGHT, BITS, COMPRESSION, SAMPLES, ROWS, PLANAR = 256, 257, 258, 259, 277, 278, 284
KIND, OLD_KIND, PHOTOMETRIC, SUBSAMPLING, EXIF = 254, 255, 262, 530, 34665
STRIPS, STRIP_BYTES, TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES = 273, 279, 322, 323, 324, 325
_READ = {WIDTH, HEIGHT, BITS, COMPRESSION, SAMPLES, ROWS, PLANAR, STRIPS, STRIP_BYTES}
_READ |= {TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES, KIND, OLD_KIND, PHOTOMETRIC, SUBSAMPLING, EXIF}

Tags = dict[int, tuple[int, ...]]


class Directories:
    """Reads the chain of directories, in the file's byte order and pointer size; `values` were read so far."""

    def __init__(self, source: Source) -> None:
        head = source.peek(16, 0).ljust(16, b"\0")
        self.source = source
        self.order = "<" if head[:2] == b"II" else ">"
        big = struct.unpack_from(self.order + "H", head, 2)[0] == 43
        self.counter, self.entry, self.pointer = ("Q", "HHQ", "Q") if big else ("H", "HHI", "I")
        (self.first,) = struct.unpack_from(self.order + self.pointer, head, 8 if big else 4)
        self.values = 0

    def walk(self) -> Iterator[Tags]:
        """Yield the tags of each directory that are read here; raise `BrokenError` for what is not in the file."""
        offset, seen = self.first, set()
        entry_size = struct.calcsize(self.order + self.entry + self.pointer)
        while offset and offset not in seen:
            seen.add(offset)
            count = self._number(self.counter, offset)
            if not count:
                raise BrokenError(cut_short(f"the TIFF's directory at byte {offset:,} is empty"))
            self._spend(count)
            start = offset + struct.calcsize(self.counter)
            table = self._within(start, count * entry_size)
            yield dict(
                filter(None, (self._tag(table[at : at + entry_size]) for at in range(0, len(table), entry_size)))
            )
            offset = self._next(start + count * entry_size)

    def _next(self, place: int) -> int:
        """Return the offset of the next directory; 0 where the file ends before that, as libtiff reads it."""
        found = self.source.peek(struct.calcsize(self.order + self.pointer), place)
        whole = len(found) == struct.calcsize(self.order + self.pointer)
        return int(struct.unpack(self.order + self.pointer, found)[0]) if whole else 0

    def _tag(self, entry: bytes) -> tuple[int, tuple[int, ...]] | None:
        tag, kind, number = struct.unpack_from(self.order + self.entry, entry)
        size = _BYTES.get(kind, 0) * number
        value = entry[struct.calcsize(self.order + self.entry) :]
        (place,) = struct.unpack(self.order + self.pointer, value)
        inline = size <= len(value)
        if not inline and place + size > self.source.size:
            raise BrokenError(cut_short(f"the TIFF's tag {tag} lies beyond the end of the file"))
        if tag not in _READ or kind not in _LETTERS or not number:
            return None
        self._spend(number)
        raw = value[:size] if inline else self._within(place, size)
        return tag, struct.unpack(f"{self.order}{number}{_LETTERS[kind]}", raw)

    def _spend(self, number: int) -> None:
        self.values += number
        if self.values > _MOST_VALUES:
            raise BrokenError(f"damaged: more than {_MOST_VALUES:,} values in the TIFF's directories; save it again")

    def _number(self, letter: str, offset: int) -> int:
        (number,) = struct.unpack(self.order + letter, self._within(offset, struct.calcsize(letter)))
        return int(number)

    def _within(self, offset: int, count: int) -> bytes:
        found = self.source.peek(count, offset)
        if len(found) < count:
            raise BrokenError(cut_short(f"the TIFF's directory at byte {offset:,} lies beyond the end of the file"))
        return found
