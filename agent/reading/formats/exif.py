"""EXIF: when a picture was taken and how it is turned, from the few tags that say so. By CIPA DC-008 (Exif 2.32), 4.6.

What cameras write is not to be trusted: each table and value is looked for within the bytes at hand and nowhere else,
and what makes no sense counts as not said. One pointer is followed, in tables of bounded length, so nothing is endless.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from agent.model import Taken

MARK = b"Exif\0\0"
"""What a JPEG's segment of EXIF begins with."""

MOST_BYTES = 65_536
"""What is looked at in PNG, WebP and TIFF; a JPEG's segment is no longer."""

_MOST_TAGS = 512
_LONGEST = 64
_TIFF, _ASCII, _SHORT, _LONG = 42, 2, 3, 4
_ORIENTATION, _EXIF, _TIME, _FRACTION, _OFFSET = 0x0112, 0x8769, 0x9003, 0x9291, 0x9011
_EPOCH = date(1970, 1, 1).toordinal()

# Some write another mark between; blanks and zeros mean that the time is not known.
_DATE = re.compile(rb"(\d{4}[:/.-]\d\d[:/.-]\d\d)[ T](\d\d)[:.](\d\d)[:.](\d\d)")
_ZONE = re.compile(rb"([+-])(\d\d):?(\d\d)")


class _Order:
    """How numbers are written: `II` from the small end, `MM` from the large one."""

    def __init__(self, sign: str) -> None:
        self.short = Struct(sign + "H").unpack_from
        self.head = Struct(sign + "HL").unpack_from
        self.value = Struct(sign + "LL").unpack_from
        tags = {_ORIENTATION: _SHORT, _EXIF: _LONG, _TIME: _ASCII, _FRACTION: _ASCII, _OFFSET: _ASCII}
        self.tags = {tag: Struct(sign + "HH").pack(tag, kind) for tag, kind in tags.items()}


_ORDERS = {b"II": _Order("<"), b"MM": _Order(">")}


class Part(NamedTuple):
    """The bytes at hand of a TIFF structure, as EXIF is one: `buffer` up to `end`; its offset 0 would be at `start`."""

    buffer: bytes | bytearray
    start: int
    end: int


def taken(part: Part) -> Taken | None:
    """Return when a picture was taken, None where it is not said.

    That is DateTimeOriginal, with SubSecTimeOriginal and OffsetTimeOriginal.
    """
    order, table = _first(part)
    at = _place(table, order.tags[_EXIF])
    if at < 0:
        return None
    return taken_at(part, bytes(part.buffer[part.start : part.start + 2]), order.value(table, at)[1])


def orientation(part: Part) -> int:
    """Return how a picture is to be turned to be seen: 1 (not at all) to 8; 1 where it is not said (4.6.4)."""
    order, table = _first(part)
    at = _place(table, order.tags[_ORIENTATION])
    if at < 0 or order.value(table, at)[0] != 1:
        return 1
    said = order.short(table, at + 4)[0]
    return said if 1 <= said <= 8 else 1


def taken_at(part: Part, byte_order: bytes, offset: int) -> Taken | None:
    """Return the same by the EXIF directory at an offset; `byte_order` is what the structure begins with."""
    order = _ORDERS[byte_order]
    table = _table(part, order, offset)
    said = _DATE.match(_text(part, order, table, _TIME))
    if said is None:
        return None
    return _moment(said, _text(part, order, table, _FRACTION), _text(part, order, table, _OFFSET))


def taken_in(exif: bytes) -> Taken | None:
    """Return the same by the whole structure; some write a JPEG's mark before it, and b'' says nothing."""
    return taken(_whole(exif))


def orientation_in(exif: bytes) -> int:
    """Return the same as `orientation` by the whole structure."""
    return orientation(_whole(exif))


def _whole(exif: bytes) -> Part:
    return Part(exif, len(MARK) if exif.startswith(MARK) else 0, len(exif))


def _first(part: Part) -> tuple[_Order, bytes]:
    """Return the byte order, and the entries of the first directory; b'' where there is none."""
    buffer, start, end = part
    order = _ORDERS.get(bytes(buffer[start : start + 2]), _ORDERS[b"II"])
    if end - start < 8:
        return order, b""
    version, first = order.head(buffer, start + 2)
    known = version == _TIFF and bytes(buffer[start : start + 2]) in _ORDERS
    return order, _table(part, order, first) if known else b""


def _table(part: Part, order: _Order, offset: int) -> bytes:
    """Return the entries of the directory at an offset, of 12 bytes each; b'' where there is none."""
    buffer, start, end = part
    first = start + offset + 2
    if not 2 <= first <= end:
        return b""
    return bytes(buffer[first : min(first + 12 * min(order.short(buffer, first - 2)[0], _MOST_TAGS), end)])


def _place(table: bytes, wanted: bytes) -> int:
    """Return where in a table the count and value of a tag of the right type stand, -1: nowhere.

    A search is ten times faster than a walk over the entries.
    """
    at = table.find(wanted)
    while at % 12 and at >= 0:
        at = table.find(wanted, at + 1)
    return at + 4 if 0 <= at <= len(table) - 12 else -1


def _text(part: Part, order: _Order, table: bytes, tag: int) -> bytes:
    """Return the text of a directory's tag, b'' where there is none."""
    at = _place(table, order.tags[tag])
    if at < 0:
        return b""
    count, offset = order.value(table, at)
    if count <= 4:
        return table[at + 4 : at + 4 + count]
    place = part.start + offset
    return bytes(part.buffer[place : min(place + count, part.end)]) if count <= _LONGEST and place >= 0 else b""


def _moment(said: re.Match[bytes], fraction: bytes, offset: bytes) -> Taken | None:
    day, hour, minute, second = said.groups()
    days = _days(day)
    seconds = (int(hour) * 60 + int(minute)) * 60 + int(second)
    if days is None or seconds > 86_400:
        return None
    east = _seconds_east(offset)
    digits = fraction.rstrip(b"\0 ")[:9]
    if not digits.isdigit():
        digits = b""
    at = days * 86_400 + seconds - (east or 0)
    return at * 1_000_000_000 + int(digits.ljust(9, b"0")), len(digits), east is not None


@lru_cache(maxsize=16)  # the frames of a sequence are of one day
def _days(text: bytes) -> int | None:
    """Return a date's days since 1970, None where it is none."""
    try:
        return date(int(text[:4]), int(text[5:7]), int(text[8:])).toordinal() - _EPOCH
    except ValueError:
        return None


@lru_cache(maxsize=16)
def _seconds_east(text: bytes) -> int | None:
    """Return an offset from UTC in seconds, None where it is none."""
    zone = _ZONE.match(text)
    if zone is None:
        return None
    seconds = (int(zone[2]) * 60 + int(zone[3])) * 60
    return -seconds if zone[1] == b"-" else seconds
