"""A JPEG that opens like the picture before: a camera's next one mostly does, and then all is known up to its scan."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agent.reading.formats.exif import MARK, Part, orientation, taken
from agent.reading.formats.jpeg_frame import READ, SEGMENT
from agent.reading.formats.source import Finding

if TYPE_CHECKING:
    from agent.model import Taken
    from agent.reading.formats.source import Source

APP1 = 0xE1
PLAIN = frozenset(range(0x02, 0xFF)) - frozenset(range(0xD0, 0xDA)) - READ - {APP1}
"""Markers of segments that have a length, and no more to us."""
_NO_EXIF: tuple[Taken | None, int] = (None, 1)


class Opening(NamedTuple):
    """Headers from the first table to the first scan, where nothing is odd about them, and what they say.

    `least_bytes` is how much picture data there must be: a Huffman coded block of 8 x 8 pixels needs at least one bit.
    """

    segments: bytes = b""
    pixels: tuple[int, int] = (0, 0)
    held_bytes: int = 0
    least_bytes: int = 0


recent: list[Opening] = [Opening()]
"""That of the picture before: a camera's next one mostly has the same, and one comparison tells (5 of 24 us)."""


def like_the_one_before(source: Source) -> tuple[Finding | None, int]:
    """Return what is found of a JPEG with the headers of the picture before and an EOI at its end, and its first scan.

    Of another one nothing is found, and nothing of it is passed over.
    """
    before = recent[0]  # once: another thread reads another picture meanwhile
    segments, wanted = before.segments, before.least_bytes
    buffer, start, end = source.chunk
    at, has_exif, exif = start + 2, False, _NO_EXIF
    while not (is_like := buffer.startswith(segments, at, end)) and at + 4 <= end:
        prefix, marker, length = SEGMENT(buffer, at)
        following = at + 2 + length
        if prefix != 0xFF or length < 2 or following > end or not (marker in PLAIN or marker == APP1):
            return None, 0
        if marker == APP1 and not has_exif and buffer.startswith(MARK, at + 4, following):
            has_exif, exif = True, exif_of(buffer, at + 4, following)
        at = following
    first_scan, eoi = at + len(segments) - start, source.size - 2
    if not (segments and is_like) or eoi - first_scan < wanted or source.peek(2, eoi) != b"\xff\xd9":
        return None, 0
    source.skip(first_scan)
    source.note_equal_runs()
    found = Finding(before.pixels, taken=exif[0], orientation=exif[1], held_bytes=before.held_bytes)
    return found, first_scan


def exif_of(buffer: bytes | bytearray, start: int, end: int) -> tuple[Taken | None, int]:
    """Return what the Exif in an APP1 segment says of when the picture was taken, and how it is turned."""
    part = Part(buffer, start + len(MARK), end)
    return taken(part), orientation(part)
