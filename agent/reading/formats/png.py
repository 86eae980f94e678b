"""PNG: does the file hold its format's end? One forward walk over its parts.

The check takes a `Source` at offset 0 and returns a `Finding`. Bytes after the end are fine: many cameras write
previews, videos or padding there. What no check can see: a hole between good ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.reading.formats.exif import MOST_BYTES, orientation_in, taken_in
from agent.reading.formats.source import MOST_PARTS, Finding, cut_short

if TYPE_CHECKING:
    from agent.reading.formats.source import Source


def check_png(source: Source) -> Finding:
    """Step over the chunks to IEND, which must follow some IDAT (PNG specification, chapters 5 and 11)."""
    pixels: tuple[int, int] | None = None
    stored = 0
    exif = b""
    source.skip(8)
    for _ in range(MOST_PARTS):
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
        if kind == b"eXIf" and not exif:
            exif = source.peek(min(length, MOST_BYTES), at + 8)
        if kind == b"IDAT":
            stored += length
        if not source.skip(length + 4):
            return Finding(pixels, cut_short("the PNG has no end chunk (IEND)"))
        if kind == b"IEND":
            return _ended(pixels, stored, exif)
    return Finding(pixels, f"damaged: more than {MOST_PARTS:,} chunks; save it again")


def _ended(pixels: tuple[int, int] | None, stored: int, exif: bytes) -> Finding:
    if not stored:
        return Finding(pixels, "damaged: the PNG holds no picture data; copy it again")
    return Finding(pixels, taken=taken_in(exif), orientation=orientation_in(exif))
