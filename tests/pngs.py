"""PNGs by the letter of the specification, nothing of ours, nor Pillow, has a part in them; and what is said."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


MAGIC = b"\x89PNG\r\n\x1a\n"
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
KINDS = [
    (0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 2), (3, 4), (3, 8), (4, 8), (4, 16),
    (6, 8), (6, 16),
]  # fmt: skip
"""Every colour type with every depth that it may have (11.2.1)."""
_PASSES = (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)
"""Adam7: the first column and row, and the steps from one to the next (8.2)."""


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    """Return a chunk with its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def header(width: int, height: int, depth: int = 8, colour: int = 2, *rest: int) -> bytes:
    """Return the chunk that comes first."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, *(rest or (0, 0, 0))))


def png(head: bytes, packed: bytes, *, size: int = 1 << 30, before: bytes = b"", behind: bytes = b"") -> bytes:
    """Return a PNG with its packed picture data in parts of a size, and other chunks before and behind them."""
    parts = b"".join(chunk(b"IDAT", packed[at : at + size]) for at in range(0, len(packed), size))
    return MAGIC + head + before + parts + behind + chunk(b"IEND")


def rows_of(width: int, height: int, bits: int, *, interlaced: bool) -> list[int]:
    """Return how many bytes each row has, without its filter, where a pixel has so many bits."""
    if not interlaced:
        return [-(-width * bits // 8)] * height
    passes = [(len(range(x, width, by_x)), len(range(y, height, by_y))) for x, y, by_x, by_y in _PASSES]
    return [-(-columns * bits // 8) for columns, rows in passes if columns for _ in range(rows)]


def filtered(rows: Sequence[bytes], step: int, filters: Iterable[int]) -> bytes:
    """Return rows, each by its filter (9.2), where a pixel has `step` bytes."""
    above, out = bytes(len(rows[0])), b""
    for row, kind in zip(rows, filters, strict=False):
        line = bytearray()
        for at, value in enumerate(row):
            left, corner = (row[at - step], above[at - step]) if at >= step else (0, 0)
            up = above[at]
            line.append(value - (0, left, up, (left + up) // 2, _paeth(left, up, corner))[kind] & 255)
        out += bytes([kind]) + line
        above = row
    return out


def _paeth(left: int, up: int, corner: int) -> int:
    middle = left + up - corner
    return min((left, up, corner), key=lambda value: abs(middle - value))
