"""TIFF: are the directories, and all that they point to, within the file? By TIFF 6.0 and the BigTIFF design page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.reading.formats.exif import MOST_BYTES, Part, taken_at
from agent.reading.formats.source import Finding, cut_short
from agent.reading.formats.tiff_directories import (
    BITS,
    COMPRESSION,
    EXIF,
    HEIGHT,
    PLANAR,
    ROWS,
    SAMPLES,
    STRIP_BYTES,
    STRIPS,
    TILE_BYTES,
    TILE_HEIGHT,
    TILE_WIDTH,
    TILES,
    WIDTH,
    BrokenTiffError,
    Directories,
)  # fmt: skip
from agent.reading.formats.zero_tail import Block, zero_tail

if TYPE_CHECKING:
    from agent.model import Taken
    from agent.reading.formats.source import Source
    from agent.reading.formats.tiff_directories import Tags


def check_tiff(source: Source) -> Finding:
    """Walk every directory (page): each value, strip and tile must lie within the file. Then judge its zero tail.

    `pixels` are the first page's.
    """
    source.drain()
    pixels: tuple[int, int] | None = None
    blocks: list[Block] = []
    exif: tuple[int, ...] = ()
    try:
        for tags in Directories(source).walk():
            pixels = pixels or _size(tags)
            exif = exif or tags.get(EXIF, ())
            blocks += _blocks(tags, source.size)
    except BrokenTiffError as broken:
        return Finding(pixels, str(broken))
    if not blocks:
        return Finding(pixels, "damaged: the TIFF holds no picture data; copy it again")
    return Finding(pixels, zero_tail(source, blocks), taken=_taken(source, exif[0]) if exif else None)


def _taken(source: Source, offset: int) -> Taken | None:
    """Return when the picture was taken by the EXIF directory at an offset and what lies around it."""
    before = max(0, offset - MOST_BYTES // 2)
    around = source.peek(MOST_BYTES, before)
    return taken_at(Part(around, -before, len(around)), source.peek(2, 0), offset)


def _size(tags: Tags) -> tuple[int, int]:
    width, height = tags.get(WIDTH, (0,))[0], tags.get(HEIGHT, (0,))[0]
    if not width or not height:
        raise BrokenTiffError("damaged: a directory of the TIFF gives no size; copy it again")
    return width, height


def _blocks(tags: Tags, size: int) -> list[Block]:
    """Return where one page's pixels lie; strips that follow each other become one block."""
    offsets = tags.get(TILES) or tags.get(STRIPS) or ()
    counts = tags.get(TILE_BYTES) or tags.get(STRIP_BYTES) or ()
    compressed = tags.get(COMPRESSION, (1,))[0] != 1
    if len(counts) != len(offsets) and (compressed or counts):
        raise BrokenTiffError("damaged: the TIFF's offsets and byte counts do not match; copy it again")
    blocks: list[Block] = []
    for index, offset in enumerate(offsets):
        stride, width, rows = _geometry(tags, index)
        count = counts[index] if counts else stride * rows
        if offset + count > size:
            raise BrokenTiffError(cut_short(f"the TIFF's picture data goes on to byte {offset + count:,} of {size:,}"))
        if not count:
            continue  # a sparse file's empty tile
        if compressed:
            blocks.append(Block(offset, 0, count, 1))
        elif count < stride * (rows - 1) + width:
            blocks.append(Block(offset, count, count, 1))  # packed in a way not known here (subsampled YCbCr)
        elif blocks and TILES not in tags and blocks[-1][1:3] == (stride, width) and _follows(blocks[-1], offset):
            blocks[-1] = blocks[-1]._replace(rows=blocks[-1].rows + rows)
        else:
            blocks.append(Block(offset, stride, width, rows))
    return blocks


def _follows(block: Block, offset: int) -> bool:
    return block.offset + block.stride * block.rows == offset


def _geometry(tags: Tags, index: int) -> tuple[int, int, int]:
    """Return strip or tile `index`'s bytes a row, the bytes of these that are picture and not padding, and its rows."""
    width, height = _size(tags)
    samples, bits = tags.get(SAMPLES, (1,))[0], tags.get(BITS, (1,))
    depth = bits[0] * (samples if tags.get(PLANAR, (1,))[0] == 1 else 1)
    if TILES not in tags:
        rows = max(1, min(height, tags.get(ROWS, (height,))[0]))
        row = (width * depth + 7) // 8
        return row, row, min(rows, height - index % -(-height // rows) * rows)
    across, down = max(1, tags.get(TILE_WIDTH, (width,))[0]), max(1, tags.get(TILE_HEIGHT, (height,))[0])
    columns, lines = -(-width // across), -(-height // down)
    used = min(across, width - index % columns * across)
    return (across * depth + 7) // 8, (used * depth + 7) // 8, min(down, height - index // columns % lines * down)
