"""JPEG: does the file hold its format's end? One forward walk over its parts.

The check takes a `Source` at offset 0 and returns a `Finding`. Bytes after the end are fine: many cameras write
previews, videos or padding there. What no check can see: a hole between good ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING

from agent.core.foreign_formats import foreign_jpeg
from agent.reading.formats.exif import MARK, Part, orientation, taken
from agent.reading.formats.source import MOST_PARTS, Finding, cut_short

if TYPE_CHECKING:
    from agent.core.foreign_formats import Foreign
    from agent.model import Taken
    from agent.reading.formats.source import Source


# Hostile files are made of many scans; real ones have some ten.
_MOST_SCANS = 100

# Within a scan 0xFF is followed by 0x00 (a stuffed byte), a restart marker, or another 0xFF (fill): ITU-T T.81 B.1.1.
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_SOI, _EOI, _SOS, _TEM = 0xD8, 0xD9, 0xDA, 0x01
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}  # the last is JPEG-LS's
_APP1 = 0xE1
_PLAIN = frozenset(range(0x02, 0xFF)) - frozenset(range(0xD0, 0xDB)) - _SOF - {_APP1}  # a length, and no more to us
_SEGMENT = Struct(">BBH").unpack_from  # 0xFF, the marker, and the length, which counts itself
_FRAME, _FRAME_BYTES = Struct(">BHH").unpack, 5  # bits, height and width: what a frame header begins with
_ORDINARY_SOF = (0xC0, 0xC1, 0xC2)


def check_jpeg(source: Source) -> Finding:
    """Look for the end marker (EOI) behind a scan (ITU-T T.81 B).

    Segments are stepped over by their lengths, so that the EOI of a thumbnail within one does not count. Behind the
    start of a scan 0xFFD9 cannot be anything else than EOI: where the file's last two bytes are that, the scans need
    not be searched. Doubtful: garbage between segments, and codings other than baseline, extended and progressive.
    """
    jpeg = _Jpeg(source)
    source.skip(2)
    finding = jpeg.hurry()
    for _ in range(MOST_PARTS):
        finding = finding or jpeg.step()
        if finding:
            return finding
    return Finding(jpeg.pixels, f"damaged: more than {MOST_PARTS:,} segments; save it again")


@dataclass(slots=True)
class _Jpeg:
    """How far the walk over a JPEG's segments has come. `first_scan` is the offset of the first scan's data, or 0."""

    source: Source
    pixels: tuple[int, int] | None = None
    doubt: str | None = None
    coding: int = 0
    first_scan: int = 0
    scans: int = 0
    has_exif: bool = False
    taken: Taken | None = None
    orientation: int = 1
    foreign: Foreign | None = None

    def hurry(self) -> Finding | None:
        """Do as `step` does, to the start of the first scan, while segments follow upon each other in what was read.

        In nearly every file they all do: five times faster than `step`, to which the rest is left (measured).
        """
        buffer, start, end = self.source.chunk
        at = start
        while at + 4 <= end:
            prefix, marker, length = _SEGMENT(buffer, at)
            if prefix != 0xFF or length < 2:
                break
            following = at + 2 + length
            if marker not in _PLAIN:
                if following > end:
                    break
                if marker == _SOS:
                    self.source.skip(following - start)
                    return self._scan()
                if marker == _APP1:
                    self._exif(buffer, at + 4, following)
                elif marker not in _SOF:
                    break
                elif not self.coding:
                    self._frame(marker, buffer[at + 4 : min(at + 4 + _FRAME_BYTES, following)])
            at = following
        self.source.skip(at - start)
        return None

    def step(self) -> Finding | None:
        """Go to the next marker and over its segment; return what is found as soon as it is known."""
        before = self.source.position
        marker = self.source.search(_MARKER)
        if marker is None:
            return Finding(self.pixels, cut_short("the JPEG has no end marker (EOI)"))
        if not self.scans and self.source.position != before + 2:
            self.doubt = "bytes between its segments that belong to none"
        if marker == _EOI:
            return self._ended(self.source.position - 2)
        if marker == _SOI:
            return Finding(self.pixels, cut_short("another JPEG begins before the end marker (EOI)"))
        if marker == _TEM:
            return None
        length = int.from_bytes(self.source.take(2)) - 2
        if length < 0:
            return Finding(
                self.pixels, cut_short(f"the JPEG's segment 0xff{marker:02x} at byte {before:,} has no length")
            )
        if marker in _SOF and not self.coding:
            self._frame(marker, self.source.peek(min(_FRAME_BYTES, length), self.source.position))
        if marker == _APP1 and not self.has_exif:
            segment = self.source.peek(length, self.source.position)
            self._exif(segment, 0, len(segment))
        self.source.skip(length)
        return self._scan() if marker == _SOS else None

    def _exif(self, buffer: bytes | bytearray, start: int, end: int) -> None:
        """Look in an APP1 segment for when the picture was taken; another such segment holds XMP."""
        if not self.has_exif and buffer[start : start + len(MARK)] == MARK:
            self.has_exif = True
            part = Part(buffer, start + len(MARK), end)
            self.taken, self.orientation = taken(part), orientation(part)

    def _frame(self, marker: int, head: bytes | bytearray) -> None:
        self.coding = marker
        bits, height, width = _FRAME(head) if len(head) == _FRAME_BYTES else (0, 0, 0)
        self.pixels = (width, height)
        self.foreign = foreign_jpeg(marker, bits)
        if marker not in _ORDINARY_SOF or bits != 8 or not width or not height:
            self.doubt = f"an unusual coding (0xff{marker:02x}, {bits} bits)"

    def _scan(self) -> Finding | None:
        if self.foreign:
            return Finding(self.pixels, self.foreign.sentence)
        begins, end = self.source.position, self.source.size - 2
        self.scans += 1
        self.first_scan = self.first_scan or begins
        if not self.coding:
            self.doubt = "a scan without a frame header"
        if self.scans > _MOST_SCANS:
            return Finding(self.pixels, f"damaged: more than {_MOST_SCANS} scans; save it again")
        if not self.doubt and begins <= end and self.source.peek(2, end) == b"\xff\xd9":
            return self._ended(end)
        return None

    def _ended(self, end: int) -> Finding:
        """Judge a JPEG whose EOI is at `end`: a Huffman coded block of 8 x 8 pixels needs at least one bit."""
        if not self.first_scan:
            return Finding(self.pixels, "damaged: the JPEG ends before any picture data; copy it again")
        stored = end - self.first_scan
        width, height = self.pixels or (0, 0)
        if self.coding in _ORDINARY_SOF and 8 * stored < -(-width // 8) * -(-height // 8):
            problem = f"damaged: {stored:,} bytes of picture data cannot hold {width} x {height} pixels; copy it again"
            return Finding(self.pixels, problem)
        return Finding(self.pixels, None, self.doubt, taken=self.taken, orientation=self.orientation)
