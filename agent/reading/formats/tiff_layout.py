"""Where the pixels of a TIFF's page lie: its strips or tiles, and how long their rows are. By TIFF 6.0 and libtiff."""

from __future__ import annotations

from operator import add
from typing import TYPE_CHECKING, NamedTuple

from agent.reading.formats import tiff_directories as tag
from agent.reading.formats.source import BrokenError, cut_short
from agent.reading.formats.zero_tail import Block

if TYPE_CHECKING:
    from agent.reading.formats.tiff_directories import Tags

_PLAIN, _YCBCR = 1, 6


class Layout(NamedTuple):
    """How a page is cut into parts (strips or tiles): their offsets, the bytes the file says they have, their size.

    `unit` are the pixels across and down that are stored together, in so many `unit_bits`: 1 x 1 but for YCbCr.
    """

    width: int
    height: int
    coding: int
    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    across: int
    down: int
    is_tiled: bool
    unit: tuple[int, int]
    unit_bits: int

    @property
    def is_raw(self) -> bool:
        """Whether the pixels stand as they are."""
        return self.coding == _PLAIN

    @property
    def part_bytes(self) -> int:
        """How many bytes a whole strip or tile has when it is decoded."""
        return self.row_bytes(self.across) * self.rows(self.down)

    def row_bytes(self, pixels: int) -> int:
        """Return how many bytes a row of so many pixels has."""
        return (-(-pixels // self.unit[0]) * self.unit_bits + 7) // 8

    def rows(self, pixels: int) -> int:
        """Return how many rows of bytes so many rows of pixels are."""
        return -(-pixels // self.unit[1])

    def height_of(self, index: int) -> int:
        """Return how many rows of pixels a part holds that belong to the picture."""
        columns, lines = -(-self.width // self.across), -(-self.height // self.down)
        return min(self.down, self.height - index // columns % lines * self.down)

    def width_of(self, index: int) -> int:
        """Return how many pixels of a part's rows belong to the picture."""
        return min(self.across, self.width - index % -(-self.width // self.across) * self.across)

    def needed(self, index: int) -> int:
        """Return how many bytes of a raw part belong to the picture."""
        rows = self.rows(self.height_of(index))
        return self.row_bytes(self.across) * (rows - 1) + self.row_bytes(self.width_of(index))


def size(tags: Tags) -> tuple[int, int]:
    """Return a page's width and height in pixels."""
    width, height = tags.get(tag.WIDTH, (0,))[0], tags.get(tag.HEIGHT, (0,))[0]
    if not width or not height:
        raise BrokenError("damaged: a directory of the TIFF gives no size; copy it again")
    return width, height


def layout(tags: Tags) -> Layout:
    """Return how a page is cut into parts, by its tags."""
    width, height = size(tags)
    is_tiled = tag.TILES in tags
    across = tags.get(tag.TILE_WIDTH, (width,))[0] if is_tiled else width
    down = tags.get(tag.TILE_HEIGHT if is_tiled else tag.ROWS, (height,))[0]
    unit, unit_bits = _unit(tags)
    return Layout(
        width,
        height,
        tags.get(tag.COMPRESSION, (_PLAIN,))[0],
        tags.get(tag.TILES) or tags.get(tag.STRIPS) or (),
        tags.get(tag.TILE_BYTES) or tags.get(tag.STRIP_BYTES) or (),
        max(1, across),
        max(1, down if is_tiled else min(height, down)),
        is_tiled,
        unit,
        unit_bits,
    )


def _unit(tags: Tags) -> tuple[tuple[int, int], int]:
    """Return what is stored together. Bits may differ between samples (5, 6, 5); some say them once for all samples."""
    samples, bits = max(1, tags.get(tag.SAMPLES, (1,))[0]), tags.get(tag.BITS, (1,))
    if tags.get(tag.PLANAR, (1,))[0] == 2:
        return (1, 1), bits[0]
    if tags.get(tag.PHOTOMETRIC, (0,))[0] == _YCBCR and tags.get(tag.COMPRESSION, (_PLAIN,))[0] == _PLAIN:
        across, down = (*tags.get(tag.SUBSAMPLING, ()), 2, 2)[:2]
        if 1 <= across <= 4 and 1 <= down <= 4:
            return (across, down), (across * down + 2) * bits[0]
    return (1, 1), sum(bits[:samples]) if len(bits) >= samples else bits[0] * samples


def blocks(page: Layout, file_size: int) -> list[Block]:
    """Return where one page's pixels lie; strips that follow each other become one block. All must be in the file."""
    offsets, counts = page.offsets, page.counts
    if len(counts) != len(offsets) and (counts or not page.is_raw):
        raise BrokenError("damaged: the TIFF's offsets and byte counts do not match; copy it again")
    if 0 in offsets and any(count and not offset for offset, count in zip(offsets, counts, strict=False)):
        raise BrokenError(cut_short("the TIFF does not say where all of its picture data lies"))
    if not offsets:
        return []
    if not page.is_raw:
        end, count = max(zip(map(add, offsets, counts), counts, strict=True))
        _within(end, file_size)
        return [Block(end - count, 0, count, 1)] if count else []
    found = [block for plane in _planes(page) for block in _plane_blocks(page, *plane)]
    _within(max((block.end for block in found), default=0), file_size)
    return found


def _within(end: int, file_size: int) -> None:
    if end > file_size:
        raise BrokenError(cut_short(f"the TIFF's picture data goes on to byte {end:,} of {file_size:,}"))


def _planes(page: Layout) -> list[tuple[int, int]]:
    """Return from which part to which each plane goes."""
    each = -(-page.width // page.across) * -(-page.height // page.down)
    return [(first, min(first + each, len(page.offsets))) for first in range(0, len(page.offsets), each)]


def _plane_blocks(page: Layout, first: int, last: int) -> list[Block]:
    offsets = page.offsets[first:last]
    stride = page.row_bytes(page.across)
    step = stride * page.rows(page.down)
    follows = step > 0 and offsets == tuple(range(offsets[0], offsets[0] + step * len(offsets), step))
    if follows and not page.is_tiled and not (page.counts and min(page.counts[first:last]) < page.needed(last - 1)):
        rows = page.rows(page.down) * (len(offsets) - 1) + page.rows(page.height_of(last - 1))
        return [Block(offsets[0], stride, stride, rows)]
    return [_block(page, index) for index in range(first, last) if not page.counts or page.counts[index]]


def _block(page: Layout, index: int) -> Block:
    """Return one part; where the file says fewer bytes than its rows would have, it is packed in a way not known."""
    if page.counts and page.counts[index] < page.needed(index):
        return Block(page.offsets[index], page.counts[index], page.counts[index], 1)
    stride = page.row_bytes(page.across)
    return Block(page.offsets[index], stride, page.row_bytes(page.width_of(index)), page.rows(page.height_of(index)))
