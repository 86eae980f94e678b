"""BMP: is all of the picture's data within the file, and does it look written? Small looks at any offset."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from agent.reading.formats.source import Finding, cut_short

if TYPE_CHECKING:
    from agent.reading.formats.source import Source
from agent.reading.formats.zero_tail import Block, zero_tail


def check_bmp(source: Source) -> Finding:
    """Compare the lengths in the header with the file's (Microsoft's BITMAPFILEHEADER, BITMAPINFOHEADER)."""
    head = source.peek(54, 0).ljust(54, b"\0")
    said, offset, header = struct.unpack_from("<I4xII", head, 2)
    if header == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", head, 18)
        compression = 0
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", head, 18)
    pixels = (width, abs(height))
    if width <= 0 or not height or bits not in (1, 4, 8, 16, 24, 32) or offset < 14 + header:
        return Finding(problem="damaged: the BMP's header makes no sense; copy it again")
    row = (width * bits + 7) // 8
    block = Block(offset, (width * bits + 31) // 32 * 4, row, abs(height))
    needed = max(said, block.end if compression in (0, 3, 6) else offset)
    if needed > source.size:
        return Finding(pixels, cut_short(f"the BMP needs {needed:,} bytes, the file has {source.size:,}"))
    source.drain()
    if compression not in (0, 3, 6):
        block = Block(offset, 0, max(said, offset) - offset, 1)
        ended = source.peek(2, block.end - 2) == b"\x00\x01"
        return Finding(pixels, zero_tail(source, [block]), None if ended else "a compressed BMP without an end mark")
    return Finding(pixels, zero_tail(source, [block]))
