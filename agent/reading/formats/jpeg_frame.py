"""What a JPEG's headers say: whether their lengths lead somewhere, and how much picture data there must be.

By ITU-T T.81; where a length differs from what the segment itself says, libjpeg and the browsers give up.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import NamedTuple

SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}  # the last is JPEG-LS's
SOS, DHT, DQT, DRI = 0xDA, 0xC4, 0xDB, 0xDD
TABLES = frozenset({DHT, DQT, DRI})
HUFFMAN = (0xC0, 0xC1, 0xC2)
ARITHMETIC = (0xC9, 0xCA)
READ = SOF | TABLES | {SOS}
SEGMENT = Struct(">BBH").unpack_from
"""0xFF, a marker, and the length, which counts itself."""
ONE_SCAN = (0xC0, 0xC1, 0xC9)
"""Where one scan holds all components, it is the only one: sequential codings."""
_UNKNOWN = 1 << 62


class Frame(NamedTuple):
    """The frame header: what `marker` says of the coding, and each component's id with its two sampling factors."""

    marker: int = 0
    bits: int = 0
    width: int = 0
    height: int = 0
    components: tuple[tuple[int, int, int], ...] = ()

    @property
    def is_usual(self) -> bool:
        """Whether it is Huffman coded, in 8 bits, baseline, extended or progressive."""
        return self.marker in HUFFMAN and self.bits == 8 and self.width > 0 and self.height > 0


class Scan(NamedTuple):
    """A scan header: the components in it, the first coefficient, and how many bits of it came in scans before."""

    components: bytes
    first: int
    before: int

    @property
    def refines_averages(self) -> bool:
        """Whether it holds one bit for each block and no more: of the first coefficient, its next one (G.1.2.1)."""
        return self.first == 0 and self.before > 0


class Headers(NamedTuple):
    """What was said before a scan: the first frame header, the last scan's, and how many MCUs a restart comes after."""

    frame: Frame = Frame()
    scan: Scan | None = None
    interval: int = 0

    def then(self, marker: int, body: bytes | bytearray) -> Headers | None:
        """Take in a segment of READ without its length; None where that cannot be right."""
        if marker in SOF:
            frame = frame_of(marker, body)
            return frame and (self if self.frame.marker else self._replace(frame=frame))
        if marker == SOS:
            scan = scan_of(body)
            return scan and self._replace(scan=scan)
        if not is_table(marker, body):
            return None
        return self._replace(interval=int.from_bytes(body)) if marker == DRI else self


@lru_cache(maxsize=64)  # all pictures of a camera have the same
def headers_of(segments: bytes) -> tuple[Headers, int]:
    """Take in segments that follow upon each other; return where the first one is whose length cannot be, or -1."""
    headers, at = Headers(), 0
    while at < len(segments):
        _, marker, length = SEGMENT(segments, at)
        following = headers.then(marker, segments[at + 4 : at + 2 + length]) if marker in READ else headers
        if following is None:
            return headers, at
        headers, at = following, at + 2 + length
    return headers, -1


def frame_of(marker: int, body: bytes | bytearray) -> Frame | None:
    """Read a frame header without its length (B.2.2), None where its length cannot be right."""
    if len(body) < 9 or len(body) != 6 + 3 * body[5]:
        return None
    components = tuple((body[at], body[at + 1] >> 4, body[at + 1] & 15) for at in range(6, len(body), 3))
    return Frame(marker, body[0], int.from_bytes(body[3:5]), int.from_bytes(body[1:3]), components)


def scan_of(body: bytes | bytearray) -> Scan | None:
    """Read a scan header without its length (B.2.3), None where its length cannot be right."""
    if not body or not 1 <= body[0] <= 4 or len(body) != 4 + 2 * body[0]:
        return None
    return Scan(bytes(body[1:-3:2]), body[-3], body[-1] >> 4)


def is_table(marker: int, body: bytes | bytearray) -> bool:
    """Tell whether the tables in a segment without its length end where it does (B.2.4.1, B.2.4.2, B.2.4.4)."""
    if marker == DRI:
        return len(body) == 2
    at = 0
    while at < len(body):
        at += 17 + sum(body[at + 1 : at + 17]) if marker == DHT else 129 if body[at] >> 4 else 65
    return at == len(body)


def blocks(frame: Frame, scan: Scan) -> tuple[int, int]:
    """Return how many MCUs a scan has, what restarts count in, and how many blocks of 8 x 8 samples (A.2).

    More than can be where the headers make no sense.
    """
    sampling = {component: (across, down) for component, across, down in frame.components}
    most_across, most_down = (max((pair[at] for pair in sampling.values()), default=0) for at in (0, 1))
    if not most_across or not most_down or not all(sum(sampling.get(each, ())) for each in scan.components):
        return _UNKNOWN, _UNKNOWN
    if len(scan.components) == 1:
        across, down = sampling[scan.components[0]]
        return (_up(_up(frame.width * across, most_across), 8) * _up(_up(frame.height * down, most_down), 8),) * 2
    units = _up(frame.width, 8 * most_across) * _up(frame.height, 8 * most_down)
    return units, units * sum(across * down for across, down in (sampling[each] for each in scan.components))


def held_bytes(frame: Frame, scan: Scan) -> int:
    """Return how many bytes of coefficients a decoder holds, by the first scan: two for each, where others follow."""
    every = bytes(component for component, _, _ in frame.components)
    if not every or (frame.marker in ONE_SCAN and len(scan.components) == len(every)):
        return 0
    return 128 * blocks(frame, Scan(every, 0, 0))[1]


def _up(number: int, by: int) -> int:
    return -(-number // by)
