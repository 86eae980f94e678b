"""WebP: does the file hold its format's end? One forward walk over its parts.

The check takes a `Source` at offset 0 and returns a `Finding`. Bytes after the end are fine: many cameras write
previews, videos or padding there.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from agent.reading.formats.equal_runs import LEAST
from agent.reading.formats.exif import MOST_BYTES, taken_in
from agent.reading.formats.source import MOST_PARTS, Finding, animated, cut_short, equal_bytes

if TYPE_CHECKING:
    from agent.reading.formats.source import Source

_PICTURE = frozenset((b"VP8 ", b"VP8L", b"ALPH", b"ANMF"))
_ZEROS = 32


class Chunk(NamedTuple):
    """A part of a WebP: its kind, and where its content begins and ends."""

    kind: bytes
    start: int
    end: int


def check_webp(source: Source) -> Finding:
    """Compare the length in the RIFF header with the file's, and step over the chunks (Google's WebP container page).

    Doubtful (`doubtful`): runs of equal bytes within the picture data, and zeros at its end, of which libwebp writes
    at most 8 at any of its methods but where the picture is flat.
    """
    length = 8 + int.from_bytes(source.peek(4, 4), "little")
    if length > source.size:
        return Finding(problem=cut_short(f"the WebP's header says {length:,} bytes, the file has {source.size:,}"))
    source.note_equal_runs()
    walk = _Walk(source)
    source.skip(12)
    for _ in range(MOST_PARTS):
        at = source.position
        if at + 8 > length:
            break
        head = source.take(8)
        chunk = Chunk(head[:4], at + 8, at + 8 + int.from_bytes(head[4:], "little"))
        if not any(head):
            return Finding(walk.pixels, cut_short(f"the WebP goes on in zeros from byte {at:,}"))
        if chunk.end > length:
            return Finding(
                walk.pixels, f"damaged: the WebP's chunk {chunk.kind!r} is longer than the file says; copy it again"
            )
        walk.see(chunk)
    return walk.ended()


class _Walk:
    """What was seen of a WebP's chunks."""

    def __init__(self, source: Source) -> None:
        self.pixels: tuple[int, int] | None = None
        self._source = source
        self._last = Chunk(b"", 0, 0)
        self._frames = 0
        self._exif = b""
        self._doubtful: list[tuple[int, int]] = []

    def see(self, chunk: Chunk) -> None:
        """Look at a chunk, and go to its end."""
        kind, start, end = chunk
        if kind in (b"VP8X", b"VP8 ", b"VP8L"):
            self.pixels = self.pixels or pixels_of(kind, self._source.peek(10, start))
        if kind == b"EXIF" and not self._exif:
            self._exif = self._source.peek(min(end - start, MOST_BYTES), start)
        self._source.skip(end - start + (end - start) % 2)
        if kind in _PICTURE:
            self._last = self._last if kind == b"ALPH" else chunk
            self._frames += kind == b"ANMF"
            self._doubtful += _runs(self._source, start, end)

    def ended(self) -> Finding:
        """Judge the whole, whose last chunk was seen."""
        _, start, end = self._last
        if start == end or self.pixels is None:
            return Finding(self.pixels, "damaged: the WebP holds no picture data; copy it again")
        self._source.drain()
        zeros = end - max(start, min(end, self._source.content_end))
        if zeros >= _ZEROS:
            self._doubtful.append((end - zeros, end))
        return Finding(
            self.pixels,
            doubt=_doubt(self._doubtful, zeros),
            doubtful=tuple(self._doubtful),
            zero_tail=zeros if zeros >= _ZEROS else 0,
            taken=taken_in(self._exif),
            warnings=(animated(self._frames, "WebP"),) if self._frames > 1 else (),
        )


def _runs(source: Source, start: int, end: int) -> list[tuple[int, int]]:
    """Return the parts of the runs of equal bytes that lie between two offsets, which were read."""
    runs = source.equal_runs or []
    first = max(0, bisect_left(runs, (start, start)) - 1)
    last = bisect_left(runs, (end, end))
    within = ((max(start, run[0]), min(end, run[1])) for run in runs[first:last])
    return [run for run in within if run[1] - run[0] >= LEAST]


def _doubt(doubtful: list[tuple[int, int]], zeros: int) -> str | None:
    if not doubtful:
        return None
    if zeros >= _ZEROS:
        return f"{zeros:,} zeros at its end"
    return equal_bytes(*max(doubtful, key=lambda run: run[1] - run[0]))


def pixels_of(kind: bytes, head: bytes) -> tuple[int, int] | None:
    """Read the size from the first 10 bytes of a chunk: the canvas, a VP8 key frame (RFC 6386, 9.1), or VP8L's."""
    if kind == b"VP8X" and len(head) == 10:
        return int.from_bytes(head[4:7], "little") + 1, int.from_bytes(head[7:10], "little") + 1
    if kind == b"VP8 " and head[3:6] == b"\x9d\x01\x2a" and len(head) == 10:
        return int.from_bytes(head[6:8], "little") & 0x3FFF, int.from_bytes(head[8:10], "little") & 0x3FFF
    if kind == b"VP8L" and head[:1] == b"\x2f":
        bits = int.from_bytes(head[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return None
