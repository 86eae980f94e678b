"""WebP: does the file hold its format's end? One forward walk over its parts.

The check takes a `Source` at offset 0 and returns a `Finding`. Bytes after the end are fine: many cameras write
previews, videos or padding there. What no check can see: a hole between good ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.reading.formats.exif import MOST_BYTES, taken_in
from agent.reading.formats.source import MOST_PARTS, Finding, cut_short, zeros

if TYPE_CHECKING:
    from agent.reading.formats.source import Source


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
    exif = b""
    source.skip(12)
    for _ in range(MOST_PARTS):
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
        if kind == b"EXIF" and not exif:
            exif = source.peek(min(size, MOST_BYTES), at + 8)
        if kind in (b"VP8 ", b"VP8L", b"ANMF"):
            last = (kind, size, at + 8 + size)
        source.skip(size + size % 2)
    return _ended(source, pixels, last)._replace(taken=taken_in(exif))


def _ended(source: Source, pixels: tuple[int, int] | None, last: tuple[bytes, int, int]) -> Finding:
    """Judge a WebP whose last chunk of picture data is of this kind and size, and has this end."""
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
