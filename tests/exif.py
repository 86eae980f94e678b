"""EXIF as cameras write it, by the letter of CIPA DC-008: nothing of ours, nor Pillow, has a part in it."""

from __future__ import annotations

import struct

Entry = tuple[int, int, int, bytes]
"""A tag, its type, its count, and its value as bytes."""


def text(tag: int, value: str) -> Entry:
    """Return a tag that is text, with the NUL that ends it."""
    content = value.encode("latin-1") + b"\0"
    return tag, 2, len(content), content


def directory(order: str, at: int, entries: list[Entry]) -> bytes:
    """Return a directory that stands at an offset, with what does not fit into its entries behind it."""
    behind = at + 2 + 12 * len(entries) + 4
    table, values = struct.pack(order + "H", len(entries)), b""
    for tag, kind, count, value in entries:
        place = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack(order + "L", behind + len(values))
        values += value if len(value) > 4 else b""
        table += struct.pack(order + "HHL", tag, kind, count) + place
    return table + struct.pack(order + "L", 0) + values


def exif(
    taken: str, fraction: str = "", offset: str = "", *, order: str = ">", others: int = 12, turned: Entry | None = None
) -> bytes:
    """Return the TIFF structure of a picture's EXIF, with so many tags around that say other things.

    `turned` is the tag of its first directory that says how it is turned.
    """
    said = [(0x8000 + tag, 3, 1, struct.pack(order + "H", 0x9003)) for tag in range(others)]
    said += [text(tag, value) for tag, value in ((0x9003, taken), (0x9011, offset), (0x9291, fraction)) if value]
    said.append((0x927C, 7, 5000, b"\x90\x03\x00\x02" * 1250))  # a maker's note, of anything
    first = [text(0x010F, "Camera works"), *filter(None, [turned])]
    first += [text(0x0132, "1999:01:01 00:00:00"), (0x8769, 4, 1, b"")]
    at = 8 + len(directory(order, 8, [*first[:-1], (0x8769, 4, 1, bytes(4))]))
    first[-1] = (0x8769, 4, 1, struct.pack(order + "L", at))
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(order + "L", 8) + directory(order, 8, first) + directory(order, at, sorted(said))


def orientation(value: int, *, order: str = ">", kind: int = 3, count: int = 1) -> Entry:
    """Return the tag that says how a picture is turned: a SHORT, unless it is to be of another type."""
    return 0x0112, kind, count, struct.pack(order + {1: "B", 3: "H", 4: "L"}[kind], value)


def segment(tiff: bytes) -> bytes:
    """Return a JPEG's segment that holds it."""
    return b"\xff\xe1" + struct.pack(">H", len(tiff) + 8) + b"Exif\0\0" + tiff
