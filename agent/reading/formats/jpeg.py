"""JPEG, PNG and WebP: does the file hold its format's end? One forward walk over its parts.

Each check takes a `Source` at offset 0 and returns a `Finding`. Bytes after the end are fine: many cameras write
previews, videos or padding there. What no check can see: a hole between good ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING

from agent.reading.formats.source import Finding, cut_short, zeros

if TYPE_CHECKING:
    from agent.reading.formats.source import Source

# Hostile files are made of millions of empty parts; real ones have some ten thousand
# (small IDATs) and some ten scans.
_MOST_PARTS = 200_000
_MOST_SCANS = 100

# Within a scan 0xFF is followed by 0x00 (a stuffed byte), a restart marker, or another 0xFF (fill): ITU-T T.81 B.1.1.
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_SOI, _EOI, _SOS, _TEM = 0xD8, 0xD9, 0xDA, 0x01
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PLAIN = frozenset(range(0x02, 0xFF)) - frozenset(range(0xD0, 0xDB)) - _SOF  # with a length, and no more to us
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
    for _ in range(_MOST_PARTS):
        finding = finding or jpeg.step()
        if finding:
            return finding
    return Finding(jpeg.pixels, f"damaged: more than {_MOST_PARTS:,} segments; save it again")


@dataclass(slots=True)
class _Jpeg:
    """How far the walk over a JPEG's segments has come. `first_scan` is the offset of the first scan's data, or 0."""

    source: Source
    pixels: tuple[int, int] | None = None
    doubt: str | None = None
    coding: int = 0
    first_scan: int = 0
    scans: int = 0

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
                if marker not in _SOF:
                    break
                if not self.coding:
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
        self.source.skip(length)
        return self._scan() if marker == _SOS else None

    def _frame(self, marker: int, head: bytes | bytearray) -> None:
        self.coding = marker
        bits, height, width = _FRAME(head) if len(head) == _FRAME_BYTES else (0, 0, 0)
        self.pixels = (width, height)
        if marker not in _ORDINARY_SOF or bits != 8 or not width or not height:
            self.doubt = f"an unusual coding (0xff{marker:02x}, {bits} bits)"

    def _scan(self) -> Finding | None:
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
        return Finding(self.pixels, None, self.doubt)


def check_png(source: Source) -> Finding:
    """Step over the chunks to IEND, which must follow some IDAT (PNG specification, chapters 5 and 11)."""
    pixels: tuple[int, int] | None = None
    stored = 0
    source.skip(8)
    for _ in range(_MOST_PARTS):
        at = source.position
        head = source.take(8)
        if len(head) < 8:
            return Finding(pixels, cut_short("the PNG has no end chunk (IEND)"))
        length, kind = int.from_bytes(head[:4]), head[4:]
        if not any(head):
            return Finding(pixels, cut_short(f"the PNG goes on in zeros from byte {at:,}"))
        if not kind.isalpha() or length >= 2**31 or (at == 8) != (kind == b"IHDR"):
            return Finding(pixels, f"damaged: the PNG's chunk at byte {at:,} is none ({kind!r}); copy it again")
        if kind == b"IHDR":
            size = source.peek(8, at + 8)
            pixels = (int.from_bytes(size[:4]), int.from_bytes(size[4:]))
        if kind == b"IDAT":
            stored += length
        if not source.skip(length + 4):
            return Finding(pixels, cut_short("the PNG has no end chunk (IEND)"))
        if kind == b"IEND":
            return Finding(pixels, None if stored else "damaged: the PNG holds no picture data; copy it again")
    return Finding(pixels, f"damaged: more than {_MOST_PARTS:,} chunks; save it again")


def check_webp(source: Source) -> Finding:
    """Compare the length in the RIFF header with the file's, and step over the chunks (Google's WebP container page).

    Zeros at the end of the picture data are measured. With libwebp at its 7 methods an ordinary picture ends in 0 to 8
    of them; one whose bottom is flat (night, black border) in up to 62 % of its data, since a flat area may be coded in
    zero bits. So 32 and more are doubtful (`zero_tail`, see `imagecheck`), and more than three quarters are refused.
    """
    length = 8 + int.from_bytes(source.peek(4, 4), "little")
    if length > source.size:
        return Finding(problem=cut_short(f"the WebP's header says {length:,} bytes, the file has {source.size:,}"))
    pixels: tuple[int, int] | None = None
    last = (b"", 0, 0)
    source.skip(12)
    for _ in range(_MOST_PARTS):
        at = source.position
        if at + 8 > length:
            break
        head = source.take(8)
        kind, size = head[:4], int.from_bytes(head[4:], "little")
        if not any(head):
            return Finding(pixels, cut_short(f"the WebP goes on in zeros from byte {at:,}"))
        if at + 8 + size > length:
            return Finding(pixels, f"damaged: the WebP's chunk {kind!r} is longer than the file says; copy it again")
        if kind in (b"VP8X", b"VP8 ", b"VP8L"):
            pixels = pixels or _webp_pixels(kind, source.peek(10, at + 8))
        if kind in (b"VP8 ", b"VP8L", b"ANMF"):
            last = (kind, size, at + 8 + size)
        source.skip(size + size % 2)
    kind, size, end = last
    if not size or pixels is None:
        return Finding(pixels, "damaged: the WebP holds no picture data; copy it again")
    source.drain()
    empty = min(size, end - source.content_end)
    if empty * 4 > size * 3 or (empty >= 32 and kind == b"ANMF"):
        return Finding(pixels, zeros(empty))
    return Finding(pixels, doubt=f"{empty:,} zeros at its end", zero_tail=empty) if empty >= 32 else Finding(pixels)


def _webp_pixels(kind: bytes, head: bytes) -> tuple[int, int] | None:
    """Read the size from the first 10 bytes of a chunk: the canvas, a VP8 key frame (RFC 6386, 9.1), or VP8L's."""
    if kind == b"VP8X" and len(head) == 10:
        return int.from_bytes(head[4:7], "little") + 1, int.from_bytes(head[7:10], "little") + 1
    if kind == b"VP8 " and head[3:6] == b"\x9d\x01\x2a" and len(head) == 10:
        return int.from_bytes(head[6:8], "little") & 0x3FFF, int.from_bytes(head[8:10], "little") & 0x3FFF
    if kind == b"VP8L" and head[:1] == b"\x2f":
        bits = int.from_bytes(head[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return None
