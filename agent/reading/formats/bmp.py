"""BMP: is all of the picture's data within the file, and does it look written? Small looks at any offset."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from agent.reading.formats.bmp_runs import CODED_BITS, follow, has_mark
from agent.reading.formats.source import Finding, cut_short
from agent.reading.formats.zero_tail import Block, hole_warnings, zero_tail

if TYPE_CHECKING:
    from agent.reading.formats.source import Source

_OS2_FIRST_HEADER, _OS2_HEADER = 12, 64
_PALETTE_BITS = 8
_RAW, _FIELDS, _ALPHA_FIELDS = 0, 3, 6
_RAW_BITS = {_RAW: (1, 2, 4, 8, 16, 24, 32), _FIELDS: (16, 32), _ALPHA_FIELDS: (16, 32)}
_NOT_SHOWN = {3: "OS/2's Huffman code", 4: "a JPEG within it", 5: "a PNG within it"}


class _Head(NamedTuple):
    said: int
    offset: int
    header: int
    width: int
    height: int
    bits: int
    compression: int
    coded_bytes: int

    @property
    def is_raw(self) -> bool:
        """Whether its pixels stand as they are, bit fields among them; OS/2 gave the number 3 to another coding."""
        return self.compression in _RAW_BITS and not (self.compression and self.header == _OS2_HEADER)

    @property
    def is_not_shown(self) -> bool:
        """Whether it is of a kind that is known and that no annotator sees."""
        return (
            self.compression in _NOT_SHOWN and not self.is_raw and self.bits not in CODED_BITS.get(self.compression, ())
        )

    @property
    def makes_sense(self) -> bool:
        """Whether there can be a picture of this kind."""
        known = _RAW_BITS[self.compression] if self.is_raw else CODED_BITS.get(self.compression, ())
        return self.width > 0 and self.height != 0 and self.bits in known and self.offset >= 14 + self.header


def check_bmp(source: Source) -> Finding:
    """Compare the lengths in the header with the file's (Microsoft's BITMAPFILEHEADER, BITMAPINFOHEADER)."""
    head = _head(source)
    pixels = (head.width, abs(head.height))
    if head.is_not_shown:
        return Finding(pixels, f"no browser shows it: a BMP with {_NOT_SHOWN[head.compression]}; save it as PNG")
    if not head.makes_sense:
        return Finding(pixels, "damaged: the BMP's header makes no sense; copy it again")
    row = (head.width * head.bits + 7) // 8
    block = Block(head.offset, (head.width * head.bits + 31) // 32 * 4, row, pixels[1])
    needed = max(head.said, block.end if head.is_raw else head.offset + 2)
    if needed > source.size:
        return Finding(pixels, cut_short(f"the BMP needs {needed:,} bytes, the file has {source.size:,}"))
    if not head.is_raw:
        return Finding(pixels, _coded(source, head))
    source.drain()
    warnings = hole_warnings(source, [block])
    if head.bits <= _PALETTE_BITS and source.content_end <= head.offset:
        return Finding(pixels, warnings=(*warnings, "all of its pixels have the first colour of its palette"))
    return Finding(pixels, zero_tail(source, [block]), warnings=warnings)


def _head(source: Source) -> _Head:
    """Read the file's header and what stands of the picture's, of which OS/2 wrote shorter ones."""
    found = source.peek(54, 0).ljust(54, b"\0")
    said, offset, header = struct.unpack_from("<I4xII", found, 2)
    found = found[: 14 + min(header, 40)].ljust(54, b"\0")
    if header == _OS2_FIRST_HEADER:
        width, height, _, bits = struct.unpack_from("<HHHH", found, 18)
        return _Head(said, offset, header, width, height, bits, _RAW, 0)
    width, height, _, bits, compression, coded_bytes = struct.unpack_from("<iiHHII", found, 18)
    return _Head(said, offset, header, width, height, bits, compression, coded_bytes)


def _coded(source: Source, head: _Head) -> str | None:
    """Judge run-length coded data: only what looks odd is followed from run to run."""
    source.note_equal_runs()
    source.drain()
    ends = {head.said, head.offset + head.coded_bytes, source.size}
    is_odd = any(end > head.offset for _, end in source.equal_runs or [])
    if has_mark(source, head.offset, ends) and not is_odd:
        return None
    return follow(source, head.offset, head.bits, abs(head.height))
