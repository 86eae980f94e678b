"""Runs of equal bytes in a JPEG's picture data: what is proved by counting, and what must be decoded to be judged.

Whole pictures have such runs where they are flat, in optimised and progressive codings; a part that was never written,
or was lost, is one as well.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from agent.reading.formats.jpeg_frame import ARITHMETIC, Frame, Scan, blocks
from agent.reading.formats.source import equal_bytes, never_written

if TYPE_CHECKING:
    from agent.reading.formats.source import Finding, Source

SPARE = 48
"""So many bytes more than are needed may stand at a scan's end: some write a few."""

# For each it is decoded some four times, and decoding goes through a large picture once for each scan.
_MOST = 4
_MOST_SCANS = 20
_PIECE = 64 * 1024
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")


class ScanPart(NamedTuple):
    """Where a scan's data begins and ends, its header, and how many restart markers are in it."""

    begins: int
    ends: int
    scan: Scan
    restarts: int


def judge(
    source: Source, frame: Frame, parts: list[ScanPart], runs: list[tuple[int, int]], finding: Finding
) -> Finding:
    """Return what is to be said of a JPEG that has these `runs`, and is whole otherwise: `finding`.

    Two are proof: a run in arithmetic coding, whose bytes look like chance in any picture; and one in a scan with one
    bit for each block, where the bytes do not come to that. Others are `doubtful`, the first four, one for each
    stretch up to a marker, and none where there are more scans than in any real picture.
    """
    doubtful: dict[int, tuple[int, int]] = {}
    first = ""
    for part in parts:
        for start, end in ((max(start, part.begins), min(end, part.ends)) for start, end in runs):
            if start >= end:
                continue
            said = equal_bytes(start, end)
            if frame.marker in ARITHMETIC or (part.scan.refines_averages and not _fits(source, frame, part)):
                return finding._replace(problem=never_written(said), doubt=None)
            if frame.is_usual and not part.scan.refines_averages and len(doubtful) < _MOST:
                stretch = _stretch(source, part, start, end)
                doubtful.setdefault(stretch[1], stretch)
                first = first or said
    if not doubtful or finding.doubt or len(parts) > _MOST_SCANS:  # with a doubt, it is decoded anyway
        return finding
    return finding._replace(doubt=first, doubtful=tuple(doubtful.values()))


def _stretch(source: Source, part: ScanPart, start: int, end: int) -> tuple[int, int]:
    """Return the stretch of data that a run is in: 0xFF before a marker is fill and no data, anywhere else it is."""
    if source.peek(1, start) == b"\xff" and source.peek(1, end) != b"\0":
        return start, start
    ends = _restart(source, end, part.ends) if part.restarts else part.ends
    fill = source.peek(min(_PIECE, ends - end), max(end, ends - _PIECE))
    return start, ends - len(fill) + len(fill.rstrip(b"\xff"))


def _restart(source: Source, start: int, end: int) -> int:
    """Return where the next restart marker stands, else `end`."""
    for at in range(start, end, _PIECE):
        if match := _RESTART.search(source.peek(min(_PIECE + 1, end - at), at)):
            return at + match.start()
    return end


def _fits(source: Source, frame: Frame, part: ScanPart) -> bool:
    """Tell whether a scan of one bit for each block has as many bytes as that takes; with restarts it is not told."""
    if part.restarts or not frame.is_usual:
        return True
    needed = -(-blocks(frame, part.scan)[1] // 8)
    pieces = range(part.begins, part.ends, _PIECE)
    stuffed = sum(source.peek(min(_PIECE, part.ends - at), at).count(b"\xff") for at in pieces)
    return abs(part.ends - part.begins - stuffed - needed) <= SPARE
