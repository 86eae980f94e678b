"""JPEG: does the file hold its format's end, and all that its headers promise? One forward walk over its parts.

The check takes a `Source` at offset 0 and returns a `Finding`. Bytes after the end are fine: many cameras write
previews, videos or padding there. What is not found: parts in each other's place, where there are no restart markers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.core.foreign_formats import foreign_jpeg
from agent.reading.formats.equal_runs import LEAST
from agent.reading.formats.exif import MARK
from agent.reading.formats.jpeg_frame import (
    ARITHMETIC,
    HUFFMAN,
    READ,
    SEGMENT,
    SOS,
    Headers,
    Scan,
    blocks,
    headers_of,
    held_bytes,
)
from agent.reading.formats.jpeg_opening import APP1, PLAIN, Opening, exif_of, like_the_one_before, recent
from agent.reading.formats.jpeg_runs import ScanPart, judge
from agent.reading.formats.source import MOST_PARTS, Finding, Source, cut_short

if TYPE_CHECKING:
    from agent.core.foreign_formats import Foreign
    from agent.model import Taken


# Hostile files are made of many scans; real ones have some ten.
_MOST_SCANS = 100
_MOST_RUNS = 64

# Within a scan 0xFF is followed by 0x00 (a stuffed byte), a restart marker, or another 0xFF (fill): ITU-T T.81 B.1.1.
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_MARKER_OR_RESTART = re.compile(rb"\xff[\x01-\xfe]")
_SOI, _EOI, _TEM = 0xD8, 0xD9, 0x01
_RST = range(0xD0, 0xD8)
_RESTARTS = bytes(byte for marker in _RST for byte in (0xFF, marker))
_NO_HEADERS = Headers()
_MOST_HEADERS = 4096  # of a file's bytes: with more of them, each segment is read by itself


def check_jpeg(source: Source) -> Finding:
    """Look for the end marker (EOI) behind a scan (ITU-T T.81 B), and for what cannot be before it.

    Segments are stepped over by their lengths, so that the EOI of a thumbnail within one does not count. Behind the
    start of a scan 0xFFD9 cannot be anything else than EOI: where the file's last two bytes are that, and there are no
    restart markers to count, the scans need not be searched. Doubtful: garbage between segments, codings other than
    baseline, extended and progressive, and runs of equal bytes in a scan (`jpeg_runs`).
    """
    finding, first_scan = like_the_one_before(source)
    jpeg = None
    if finding is None:
        jpeg = _Jpeg(source)
        finding, first_scan = jpeg.walk(), jpeg.first_scan
    if finding.problem:
        return finding
    source.drain()
    if not source.equal_runs:
        return finding
    runs = (run for run in source.equal_runs if run[1] > first_scan)  # there may be some in its headers
    found = [run for run in runs if run[1] - run[0] >= LEAST][:_MOST_RUNS]
    if not found:
        return finding
    if jpeg is None or jpeg.is_hurried:  # where its scans are, it does not know
        jpeg = _Jpeg(Source(source.fd, source.size), may_hurry=False)
        again = jpeg.walk()
        if again.problem:
            return again
    return judge(source, jpeg.headers.frame, jpeg.parts, found, finding)


@dataclass(slots=True)
class _Jpeg:
    """How far the walk over a JPEG's segments has come. `first_scan` is the offset of the first scan's data, or 0.

    `scan` is the one that is walked through, `parts` are those that are behind it.
    """

    source: Source
    may_hurry: bool = True
    is_hurried: bool = False
    headers: Headers = _NO_HEADERS
    doubt: str | None = None
    first_scan: int = 0
    held_bytes: int = 0
    begins: int = 0
    scan: Scan | None = None
    parts: list[ScanPart] = field(default_factory=list)
    restarts: int = 0
    has_exif: bool = False
    taken: Taken | None = None
    orientation: int = 1
    foreign: Foreign | None = None

    @property
    def pixels(self) -> tuple[int, int] | None:
        """Width and height, once they are known."""
        return (self.headers.frame.width, self.headers.frame.height) if self.headers.frame.marker else None

    @property
    def _least_bytes(self) -> int:
        """How much picture data there must be (`Opening`)."""
        width, height = self.pixels or (0, 0)
        blocks_of = -(-width // 8) * -(-height // 8)
        return -(-blocks_of // 8) if self.headers.frame.marker in HUFFMAN else 0

    def walk(self) -> Finding:
        """Go from the file's first byte to its EOI, or to what makes it none."""
        self.source.skip(2)
        finding = self.hurry()
        for _ in range(MOST_PARTS):
            finding = finding or self.step()
            if finding:
                return finding
        return Finding(self.pixels, f"damaged: more than {MOST_PARTS:,} segments; save it again")

    def hurry(self) -> Finding | None:
        """Do as `step` does, to the start of the first scan, while segments follow upon each other in what was read.

        In nearly every file they all do: five times faster than `step`, to which the rest is left (measured).
        """
        buffer, start, end = self.source.chunk
        at, first = start, -1
        while at + 4 <= end:
            prefix, marker, length = SEGMENT(buffer, at)
            if prefix != 0xFF or length < 2:
                break
            following = at + 2 + length
            if marker not in PLAIN:
                if following > end:
                    break
                if marker == APP1:
                    self._exif(buffer, at + 4, following)
                elif marker not in READ:
                    break
                elif first < 0:
                    first = at
                if marker == SOS and following - first <= _MOST_HEADERS:
                    return self._hurried(bytes(buffer[first:following]), first - start)
            at = following
        self.source.skip((at if first < 0 else first) - start)
        return None

    def _hurried(self, segments: bytes, before: int) -> Finding | None:
        """Take in the headers up to the first scan, which come after so many bytes more."""
        headers, wrong = headers_of(segments)
        if wrong >= 0:
            return self._no_segment(segments[wrong + 1], self.source.position + before + wrong)
        self.source.skip(before + len(segments))
        self._take_in(headers)
        finding = self._scan()
        if finding and not finding.problem:
            recent[0] = Opening(segments, self.pixels or (0, 0), self.held_bytes, self._least_bytes)
        return finding

    def step(self) -> Finding | None:
        """Go to the next marker and over its segment; return what is found as soon as it is known."""
        before = self.source.position
        marker = self._marker()
        if marker is None:
            return Finding(self.pixels, cut_short("the JPEG has no end marker (EOI)"))
        at = self.source.position - 2
        if not self.first_scan and at != before:
            self.doubt = "bytes between its segments that belong to none"
        if marker in _RST or not self._is_counted():
            problem = (
                f"damaged: the JPEG's restart markers are not in turn up to byte {at:,}, as where a part is missing"
            )
            return Finding(self.pixels, f"{problem} or in the place of another; copy it again")
        if self.scan:
            self.parts.append(ScanPart(self.begins, at, self.scan, self.restarts))
            self.scan = None
        return None if marker == _TEM else self._ended(at) if marker == _EOI else self._passed(marker, at)

    def _passed(self, marker: int, at: int) -> Finding | None:
        """Go over the segment that begins at `at`; of a scan, that is its header."""
        if marker == _SOI:
            return Finding(self.pixels, cut_short("another JPEG begins before the end marker (EOI)"))
        length = int.from_bytes(self.source.take(2)) - 2
        if length < 0:
            return Finding(self.pixels, cut_short(f"the JPEG's segment 0xff{marker:02x} at byte {at:,} has no length"))
        if marker in READ or (marker == APP1 and not self.has_exif):
            segment = self.source.peek(length, self.source.position)
            if marker == APP1:
                self._exif(segment, 0, len(segment))
            elif len(segment) == length:
                headers = self.headers.then(marker, segment)
                if headers is None:
                    return self._no_segment(marker, at)
                self._take_in(headers)
        self.source.skip(length)
        return self._scan() if marker == SOS else None

    def _marker(self) -> int | None:
        """Go behind the next marker, and in a scan over the restart markers while they are in turn (B.2.1)."""
        self.restarts = 0
        if not self.scan or not self.headers.interval:
            return self.source.search(_MARKER)
        marker, self.restarts = self.source.search_past(_MARKER_OR_RESTART, _RESTARTS)
        return marker

    def _is_counted(self) -> bool:
        """Tell whether the scan has as many restart markers as it needs; some write one too many, at its end."""
        known = self.headers.frame.marker in HUFFMAN + ARITHMETIC and self.headers.frame.height
        if not self.scan or not self.headers.interval or not known:
            return True
        needed = -(-blocks(self.headers.frame, self.scan)[0] // self.headers.interval) - 1
        return needed <= self.restarts <= needed + 1

    def _exif(self, buffer: bytes | bytearray, start: int, end: int) -> None:
        """Look in an APP1 segment for when the picture was taken; another such segment holds XMP."""
        if not self.has_exif and buffer.startswith(MARK, start, end):
            self.has_exif = True
            self.taken, self.orientation = exif_of(buffer, start, end)

    def _take_in(self, headers: Headers) -> None:
        frame = headers.frame
        if frame.marker and not self.headers.frame.marker:
            self.foreign = foreign_jpeg(frame.marker, frame.bits)
            if not frame.is_usual:
                self.doubt = f"an unusual coding (0xff{frame.marker:02x}, {frame.bits} bits)"
        self.headers = headers

    def _no_segment(self, marker: int, at: int) -> Finding:
        problem = f"damaged: the JPEG's segment 0xff{marker:02x} at byte {at:,} is longer or shorter than it says"
        return Finding(self.pixels, f"{problem}; copy it again")

    def _scan(self) -> Finding | None:
        if self.foreign:
            return Finding(self.pixels, self.foreign.sentence)
        self.scan = self.headers.scan
        self.begins, end = self.source.position, self.source.size - 2
        if not self.first_scan:
            self.first_scan = self.begins
            self.held_bytes = held_bytes(self.headers.frame, self.scan) if self.scan else 0
            self.source.note_equal_runs()
        if not self.headers.frame.marker:
            self.doubt = "a scan without a frame header"
        if len(self.parts) == _MOST_SCANS:
            return Finding(self.pixels, f"damaged: more than {_MOST_SCANS} scans; save it again")
        may_hurry = self.may_hurry and not self.doubt and not self.headers.interval
        if may_hurry and self.begins <= end and self.source.peek(2, end) == b"\xff\xd9":
            self.is_hurried = True
            return self._ended(end)
        return None

    def _ended(self, end: int) -> Finding:
        """Judge a JPEG whose EOI is at `end`."""
        if not self.first_scan:
            return Finding(self.pixels, "damaged: the JPEG ends before any picture data; copy it again")
        stored = end - self.first_scan
        if stored < self._least_bytes:
            width, height = self.pixels or (0, 0)
            problem = f"damaged: {stored:,} bytes of picture data cannot hold {width} x {height} pixels; copy it again"
            return Finding(self.pixels, problem)
        return Finding(
            self.pixels, None, self.doubt, taken=self.taken, orientation=self.orientation, held_bytes=self.held_bytes
        )
