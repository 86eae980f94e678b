"""Does a doubtful WebP need all of its data? Its pictures are decoded as they are, and with their last bytes left out.

Neither of WebP's codings has a checksum, and libwebp decodes nearly anything. But a picture ends where its data ends:
once a part is missing, the decoder finds other symbols than were written, and mostly comes to the picture's end long
before the data's (or has too little, and says so). So a whole picture is one that can be decoded, and cannot without
its last 16 bytes. Measured with libwebp 1.6.0: of 364 whole ones of all methods, flat and noisy, with and without loss,
none was found otherwise (with 4 bytes one was: its reader is up to 8 ahead); of 430 with a hole of 4 KiB 400 were,
98 % of those with loss and 91 % of those without, where flat areas that were zeros before are among the rest.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from agent.reading.formats.source import MOST_PARTS
from agent.reading.formats.webp import Chunk, pixels_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.reading.formats.source import Source

    Load = Callable[[bytes, tuple[int, int]], None]

_LAST_BYTES = 16
_FRAME_HEAD = 16
_ALPHA = 0x10  # the flag in VP8X


def needs_all(source: Source, doubtful: tuple[tuple[int, int], ...], load: Load) -> bool:
    """Tell whether each picture with doubtful bytes needs all of its data; else a part was never written.

    `load` decodes a file's content, of which the size in pixels is given, and raises what it will where it cannot.
    """
    known: set[tuple[int, int]] = set()
    for alpha, picture in _pictures(source):
        for part in filter(None, (picture, alpha)):
            touched = {run for run in doubtful if run[0] < part.end and part.start < run[1]}
            known |= touched
            if touched and not _needs_its_last(source, part, picture, load):
                return False
    return known == set(doubtful)  # the others are where each picture's head should be


def _needs_its_last(source: Source, part: Chunk, picture: Chunk, load: Load) -> bool:
    """Decode a picture with one of its parts as it is, and with its last bytes left out: the latter must not work."""
    body, own = (source.peek(each.end - each.start, each.start) for each in (picture, part))
    pixels = pixels_of(picture.kind, body[:10])
    if pixels is None:
        raise ValueError("a picture without a head")
    canvas = struct.pack("<I", _ALPHA) + b"".join((side - 1).to_bytes(3, "little") for side in pixels)
    before, after = ([(b"VP8X", canvas)], [(picture.kind, body)]) if part != picture else ([], [])
    load(_still([*before, (part.kind, own), *after]), pixels)
    if len(own) <= 2 * _LAST_BYTES:
        return True
    try:
        load(_still([*before, (part.kind, own[:-_LAST_BYTES]), *after]), pixels)
    except (OSError, ValueError, EOFError):  # in these Pillow says that libwebp could not
        return True
    return False


def _pictures(source: Source) -> Iterator[tuple[Chunk | None, Chunk]]:
    """Yield the data of each picture, and of its alpha values if they stand apart; the file was checked."""
    alpha = None
    at, end = 12, 8 + int.from_bytes(source.peek(4, 4), "little")
    for _ in range(MOST_PARTS):
        if at + 8 > end:
            return
        head = source.peek(8, at)
        chunk = Chunk(head[:4], at + 8, min(end, at + 8 + int.from_bytes(head[4:], "little")))
        at = chunk.end + (chunk.end - chunk.start) % 2
        if chunk.kind == b"ANMF":
            at = chunk.start + _FRAME_HEAD
        elif chunk.kind == b"ALPH":
            alpha = chunk
        elif chunk.kind in (b"VP8 ", b"VP8L"):
            yield alpha, chunk
            alpha = None


def _still(chunks: list[tuple[bytes, bytes]]) -> bytes:
    """Return a file of these chunks."""
    parts = [kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2) for kind, body in chunks]
    content = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(content)) + content
