"""TIFF: are the directories, and all that they point to, within the file? By TIFF 6.0 and the BigTIFF design page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.reading.formats import tiff_directories as tag
from agent.reading.formats.exif import MOST_BYTES, Part, taken_at
from agent.reading.formats.source import BrokenError, Finding, equal_bytes, never_written, zeros
from agent.reading.formats.tiff_codings import DEFLATE, OLD_DEFLATE, PACKBITS, PROVED, CodedParts
from agent.reading.formats.tiff_directories import Directories
from agent.reading.formats.tiff_layout import blocks, layout, size
from agent.reading.formats.zero_tail import Block, hole_warnings, zero_tail

if TYPE_CHECKING:
    from agent.model import Taken
    from agent.reading.formats.source import Source
    from agent.reading.formats.tiff_directories import Tags
    from agent.reading.formats.tiff_layout import Layout

_REDUCED, _MASK = 1, 4
_OLD_REDUCED = 2
_OTHER_ZEROS = (0, 3, 5)  # white, the first of a palette, no ink
_CODED_ZEROS = 16
_CHECKED = (DEFLATE, OLD_DEFLATE, PACKBITS)  # zeros at their end are judged by what comes out of them


def check_tiff(source: Source) -> Finding:
    """Walk every directory (page): each value, strip and tile must lie within the file. Then judge what looks odd.

    `pixels` are the first page's.
    """
    pages = _Pages(source)
    try:
        for tags in Directories(source).walk():
            pages.see(tags)
    except BrokenError as broken:
        return Finding(pages.pixels, str(broken))
    return pages.judged()


class _Pages:
    """What was seen of a TIFF's pages."""

    def __init__(self, source: Source) -> None:
        self.pixels: tuple[int, int] | None = None
        self._source = source
        self._exif: tuple[int, ...] = ()
        self._raw: list[Block] = []
        self._coded: list[tuple[Layout, Block]] = []
        self._full_size = 0
        self._zero_is_black = True

    def see(self, tags: Tags) -> None:
        """Take in a page, by its tags. Raises `BrokenError` where it is not all there."""
        self.pixels = self.pixels or size(tags)
        self._exif = self._exif or tags.get(tag.EXIF, ())
        page = layout(tags)
        found = blocks(page, self._source.size)
        self._zero_is_black &= tags.get(tag.PHOTOMETRIC, (1,))[0] not in _OTHER_ZEROS
        if page.is_raw:
            self._raw += found
        else:
            self._coded += [(page, block) for block in found]
        kind, old_kind = tags.get(tag.KIND, (0,))[0], tags.get(tag.OLD_KIND, (0,))[0]
        self._full_size += bool(found) and not kind & (_REDUCED | _MASK) and old_kind != _OLD_REDUCED

    def judged(self) -> Finding:
        """Judge the pages, all of which were seen."""
        if not self._raw and not self._coded:
            return Finding(self.pixels, "damaged: the TIFF holds no picture data; copy it again")
        if self._coded:
            self._source.note_equal_runs()
        self._source.drain()
        if not self._coded and not self._zero_is_black and self._is_all_zeros():
            return Finding(self.pixels, warnings=("all of its pixels are zeros, which are a colour here",))
        several = f"it holds {self._full_size:,} pictures (pages): most programs show the first alone"
        return Finding(
            self.pixels,
            self._unwritten_codes() or zero_tail(self._source, self._zero_tailed()),
            taken=_taken(self._source, self._exif[0]) if self._exif else None,
            warnings=(
                *((several,) if self._full_size > 1 else ()),
                *hole_warnings(self._source, self._raw + self._coded_parts()),
            ),
        )

    def _is_all_zeros(self) -> bool:
        return self._source.content_end <= min(block.offset for block in self._raw)

    def _zero_tailed(self) -> list[Block]:
        """Return the blocks of which zeros at the end can only be judged as such."""
        return self._raw + [block for page, block in self._coded if page.coding not in _CHECKED]

    def _coded_parts(self) -> list[Block]:
        """Return all strips and tiles of which a coding proves nothing."""
        pages = {id(page): page for page, _ in self._coded if page.coding not in PROVED}
        return [
            Block(offset, 0, count, 1)
            for page in pages.values()
            for offset, count in zip(page.offsets, page.counts, strict=True)
        ]

    def _unwritten_codes(self) -> str | None:
        """Look at what is doubtful in coded pages: runs of equal bytes, and zeros at the end."""
        runs, written = self._source.equal_runs or [], self._source.content_end
        parts = CodedParts(self._source)
        for page, block in self._coded:
            ends = [(max(written, block.offset), block.end)] if block.end - written >= _CODED_ZEROS else []
            run = parts.never_written(page, [*runs, *(ends if page.coding in _CHECKED else ())])
            if run:
                return zeros(run[1] - run[0]) if run[0] >= written else never_written(equal_bytes(*run))
        return None


def _taken(source: Source, offset: int) -> Taken | None:
    """Return when the picture was taken by the EXIF directory at an offset and what lies around it."""
    before = max(0, offset - MOST_BYTES // 2)
    around = source.peek(MOST_BYTES, before)
    return taken_at(Part(around, -before, len(around)), source.peek(2, 0), offset)
