"""TIFF: are the directories, and all that they point to, within the file? By TIFF 6.0 and the BigTIFF design page."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from agent.reading.formats.exif import MOST_BYTES, Part, taken_at
from agent.reading.formats.source import Finding, cut_short
from agent.reading.formats.zero_tail import Block, zero_tail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.model import Taken
    from agent.reading.formats.source import Source

# Of all directories together, entries and values that are read. Real ones have two values for each strip.
_MOST_VALUES = 1_000_000

_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_LETTERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES, _ROWS, _PLANAR = 256, 257, 258, 259, 277, 278, 284
_EXIF = 34665
_STRIPS, _STRIP_BYTES, _TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES = 273, 279, 322, 323, 324, 325
_READ = {_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES, _ROWS, _PLANAR, _STRIPS, _STRIP_BYTES}
_READ |= {_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _EXIF}

_Tags = dict[int, tuple[int, ...]]


class _BrokenError(Exception):
    """Ends the walk; its text is the problem's sentence."""


def check_tiff(source: Source) -> Finding:
    """Walk every directory (page): each value, strip and tile must lie within the file. Then judge its zero tail.

    `pixels` are the first page's.
    """
    source.drain()
    pixels: tuple[int, int] | None = None
    blocks: list[Block] = []
    exif: tuple[int, ...] = ()
    try:
        for tags in _Directories(source).walk():
            pixels = pixels or _size(tags)
            exif = exif or tags.get(_EXIF, ())
            blocks += _blocks(tags, source.size)
    except _BrokenError as broken:
        return Finding(pixels, str(broken))
    if not blocks:
        return Finding(pixels, "damaged: the TIFF holds no picture data; copy it again")
    return Finding(pixels, zero_tail(source, blocks), taken=_taken(source, exif[0]) if exif else None)


def _taken(source: Source, offset: int) -> Taken | None:
    """Return when the picture was taken by the EXIF directory at an offset and what lies around it."""
    before = max(0, offset - MOST_BYTES // 2)
    around = source.peek(MOST_BYTES, before)
    return taken_at(Part(around, -before, len(around)), source.peek(2, 0), offset)


class _Directories:
    """Reads the chain of directories, in the file's byte order and pointer size; `values` were read so far."""

    def __init__(self, source: Source) -> None:
        head = source.peek(16, 0).ljust(16, b"\0")
        self.source = source
        self.order = "<" if head[:2] == b"II" else ">"
        big = struct.unpack_from(self.order + "H", head, 2)[0] == 43
        self.counter, self.entry, self.pointer = ("Q", "HHQ", "Q") if big else ("H", "HHI", "I")
        (self.first,) = struct.unpack_from(self.order + self.pointer, head, 8 if big else 4)
        self.values = 0

    def walk(self) -> Iterator[_Tags]:
        """Yield the tags of each directory that are read here; raise `_BrokenError` for what is not in the file."""
        offset, seen = self.first, set()
        entry_size = struct.calcsize(self.order + self.entry + self.pointer)
        while offset and offset not in seen:
            seen.add(offset)
            count = self._number(self.counter, offset)
            if not count:
                raise _BrokenError(cut_short(f"the TIFF's directory at byte {offset:,} is empty"))
            self._spend(count)
            start = offset + struct.calcsize(self.counter)
            table = self._within(start, count * entry_size)
            yield dict(
                filter(None, (self._tag(table[at : at + entry_size]) for at in range(0, len(table), entry_size)))
            )
            offset = self._number(self.pointer, start + count * entry_size)

    def _tag(self, entry: bytes) -> tuple[int, tuple[int, ...]] | None:
        tag, kind, number = struct.unpack_from(self.order + self.entry, entry)
        size = _BYTES.get(kind, 0) * number
        value = entry[struct.calcsize(self.order + self.entry) :]
        (place,) = struct.unpack(self.order + self.pointer, value)
        inline = size <= len(value)
        if not inline and place + size > self.source.size:
            raise _BrokenError(cut_short(f"the TIFF's tag {tag} lies beyond the end of the file"))
        if tag not in _READ or kind not in _LETTERS or not number:
            return None
        self._spend(number)
        raw = value[:size] if inline else self._within(place, size)
        return tag, struct.unpack(f"{self.order}{number}{_LETTERS[kind]}", raw)

    def _spend(self, number: int) -> None:
        self.values += number
        if self.values > _MOST_VALUES:
            raise _BrokenError(f"damaged: more than {_MOST_VALUES:,} values in the TIFF's directories; save it again")

    def _number(self, letter: str, offset: int) -> int:
        (number,) = struct.unpack(self.order + letter, self._within(offset, struct.calcsize(letter)))
        return int(number)

    def _within(self, offset: int, count: int) -> bytes:
        found = self.source.peek(count, offset)
        if len(found) < count:
            raise _BrokenError(cut_short(f"the TIFF's directory at byte {offset:,} lies beyond the end of the file"))
        return found


def _size(tags: _Tags) -> tuple[int, int]:
    width, height = tags.get(_WIDTH, (0,))[0], tags.get(_HEIGHT, (0,))[0]
    if not width or not height:
        raise _BrokenError("damaged: a directory of the TIFF gives no size; copy it again")
    return width, height


def _blocks(tags: _Tags, size: int) -> list[Block]:
    """Return where one page's pixels lie; strips that follow each other become one block."""
    offsets = tags.get(_TILES) or tags.get(_STRIPS) or ()
    counts = tags.get(_TILE_BYTES) or tags.get(_STRIP_BYTES) or ()
    compressed = tags.get(_COMPRESSION, (1,))[0] != 1
    if len(counts) != len(offsets) and (compressed or counts):
        raise _BrokenError("damaged: the TIFF's offsets and byte counts do not match; copy it again")
    blocks: list[Block] = []
    for index, offset in enumerate(offsets):
        stride, width, rows = _geometry(tags, index)
        count = counts[index] if counts else stride * rows
        if offset + count > size:
            raise _BrokenError(cut_short(f"the TIFF's picture data goes on to byte {offset + count:,} of {size:,}"))
        if not count:
            continue  # a sparse file's empty tile
        if compressed:
            blocks.append(Block(offset, 0, count, 1))
        elif count < stride * (rows - 1) + width:
            blocks.append(Block(offset, count, count, 1))  # packed in a way not known here (subsampled YCbCr)
        elif blocks and _TILES not in tags and blocks[-1][1:3] == (stride, width) and _follows(blocks[-1], offset):
            blocks[-1] = blocks[-1]._replace(rows=blocks[-1].rows + rows)
        else:
            blocks.append(Block(offset, stride, width, rows))
    return blocks


def _follows(block: Block, offset: int) -> bool:
    return block.offset + block.stride * block.rows == offset


def _geometry(tags: _Tags, index: int) -> tuple[int, int, int]:
    """Return strip or tile `index`'s bytes a row, the bytes of these that are picture and not padding, and its rows."""
    width, height = _size(tags)
    samples, bits = tags.get(_SAMPLES, (1,))[0], tags.get(_BITS, (1,))
    depth = bits[0] * (samples if tags.get(_PLANAR, (1,))[0] == 1 else 1)
    if _TILES not in tags:
        rows = max(1, min(height, tags.get(_ROWS, (height,))[0]))
        row = (width * depth + 7) // 8
        return row, row, min(rows, height - index % -(-height // rows) * rows)
    across, down = max(1, tags.get(_TILE_WIDTH, (width,))[0]), max(1, tags.get(_TILE_HEIGHT, (height,))[0])
    columns, lines = -(-width // across), -(-height // down)
    used = min(across, width - index % columns * across)
    return (across * depth + 7) // 8, (used * depth + 7) // 8, min(down, height - index // columns % lines * down)
