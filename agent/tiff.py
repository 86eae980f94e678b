"""TIFF: are the directories, and all that they point to, within the file? By TIFF 6.0 and the BigTIFF design page."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from agent.imagebytes import Finding, cut_short
from agent.rasters import Block, zero_tail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.imagebytes import Source

# Hostile files are made of millions of entries; real ones have a directory per page and an offset per strip.
_MOST_ENTRIES = 200_000
_MOST_STRIPS = 1_000_000

_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_LETTERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES, _ROWS, _PLANAR = 256, 257, 258, 259, 277, 278, 284
_STRIPS, _STRIP_BYTES, _TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES = 273, 279, 322, 323, 324, 325
_READ = {_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES, _ROWS, _PLANAR, _STRIPS, _STRIP_BYTES}
_READ |= {_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES}

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
    try:
        for tags in _directories(source):
            pixels = pixels or _size(tags)
            blocks += _blocks(tags, source.size)
    except _BrokenError as broken:
        return Finding(pixels, str(broken))
    if not blocks:
        return Finding(pixels, "damaged: the TIFF holds no picture data; copy it again")
    return Finding(pixels, zero_tail(source, blocks))


def _directories(source: Source) -> Iterator[_Tags]:
    """Yield each directory's tags, as far as they are read here; raise `_BrokenError` for what is not in the file."""
    head = source.peek(16, 0).ljust(16, b"\0")
    order = "<" if head[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", head, 2)[0] == 43
    counter, entry, pointer = ("Q", "HHQ", "Q") if big else ("H", "HHI", "I")
    (offset,) = struct.unpack_from(order + pointer, head, 8 if big else 4)
    size = struct.calcsize(order + entry + pointer)
    seen: set[int] = set()
    entries = 0
    while offset and offset not in seen:
        seen.add(offset)
        start = offset + struct.calcsize(counter)
        (count,) = struct.unpack(order + counter, _within(source, offset, start - offset))
        entries += count
        if not count or entries > _MOST_ENTRIES:
            raise _BrokenError(
                cut_short(f"the TIFF's directory at byte {offset:,} is empty")
                if not count
                else f"damaged: more than {_MOST_ENTRIES:,} entries in the TIFF's directories; save it again"
            )
        table = _within(source, start, count * size)
        tags: _Tags = {}
        for at in range(0, len(table), size):
            tag, kind, number = struct.unpack_from(order + entry, table, at)
            values = _BYTES.get(kind, 0) * number
            inline = at + struct.calcsize(order + entry)
            place = struct.unpack_from(order + pointer, table, inline)[0]
            if values > struct.calcsize(pointer) and place + values > source.size:
                raise _BrokenError(cut_short(f"the TIFF's tag {tag} lies beyond the end of the file"))
            if tag in _READ and kind in _LETTERS and number:
                if number > _MOST_STRIPS:
                    raise _BrokenError(f"damaged: the TIFF's tag {tag} has {number:,} values; save it again")
                held = values <= struct.calcsize(pointer)
                raw = table[inline : inline + values] if held else _within(source, place, values)
                tags[tag] = struct.unpack(f"{order}{number}{_LETTERS[kind]}", raw)
        yield tags
        (offset,) = struct.unpack(order + pointer, _within(source, start + count * size, struct.calcsize(pointer)))


def _within(source: Source, offset: int, count: int) -> bytes:
    found = source.peek(count, offset)
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
