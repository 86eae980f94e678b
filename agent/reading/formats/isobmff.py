"""Boxes of the ISO base media file format (ISO/IEC 14496-12), each within the one around it. Bounded, in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agent.reading.formats.source import BrokenError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Box(NamedTuple):
    """A box: its type, and the bytes that it holds."""

    kind: bytes
    body: bytes


def header(head: bytes, left: int) -> tuple[bytes, int, int]:
    """Return a box's type, the length of its header, and that of all of it, by its first 16 bytes.

    `left` is what there is from its beginning on: a length of 0 stands for that. The whole may be said to be longer,
    or shorter than its own header: that is the caller's to judge.
    """
    length, kind = int.from_bytes(head[:4]), head[4:8]
    if length == 1:
        return kind, 16, int.from_bytes(head[8:16])
    return kind, 8, length or left


def boxes(data: bytes) -> Iterator[Box]:
    """Yield the boxes that data is made of. Raises BrokenError where one is longer than the data."""
    at = 0
    while at + 8 <= len(data):
        kind, head, length = header(data[at : at + 16], len(data) - at)
        if length < head or at + length > len(data):
            raise BrokenError(f"damaged: its box {kind!r} is longer than what it lies in; copy it again")
        yield Box(kind, data[at + head : at + length])
        at += length


class Fields:
    """Reads numbers one after the other. Raises BrokenError behind the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, size: int) -> int:
        """Return the next number of so many bytes; 0 where it has none."""
        part = self.part(size)
        return int.from_bytes(part)

    def part(self, size: int) -> bytes:
        """Return the next bytes."""
        part = self._data[self._at : self._at + size]
        if len(part) < size:
            raise BrokenError("damaged: one of its boxes ends too early; copy it again")
        self._at += size
        return part

    def full(self) -> tuple[int, int]:
        """Return the version and the flags that a full box begins with."""
        return self.number(1), self.number(3)
