"""PNGs by the letter of the specification, nothing of ours, nor Pillow, has a part in them; and what is said."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


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
    above, out, nothing = bytes(len(rows[0])), b"", bytes(step)
    for row, kind in zip(rows, filters, strict=False):
        around = zip(row, nothing + row, above, nothing + above, strict=False)
        told = _TOLD[kind]
        out += bytes([kind, *(value - told(left, up, corner) & 255 for value, left, up, corner in around)])
        above = row
    return out


def _paeth(left: int, up: int, corner: int) -> int:
    by_left, by_up, by_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
    if by_left <= by_up and by_left <= by_corner:
        return left
    return up if by_up <= by_corner else corner


_TOLD: tuple[Callable[[int, int, int], int], ...] = (
    lambda *_: 0,
    lambda left, *_: left,
    lambda _, up, __: up,
    lambda left, up, _: (left + up) // 2,
    _paeth,
)
"""What each filter takes for a value, by those at its left, above it, and between the two."""
