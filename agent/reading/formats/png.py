"""PNG: is every byte up to its end the one that was written? One forward walk over its chunks.

The check takes a `Source` at offset 0 and returns a `Finding`. Each chunk has a checksum of its own (CRC-32), so a
flipped bit, a hole and two parts that changed places are found wherever they are. Bytes after the end are fine: many
cameras write previews, videos or padding there.

What no check of this kind can see: chunks of picture data that are whole and stand in another order.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING
from zlib import crc32

from agent.reading.formats.deep_png import Samples
from agent.reading.formats.exif import MARK, MOST_BYTES, orientation_in, taken_in
from agent.reading.formats.source import MOST_PARTS, Finding, animated, cut_short

if TYPE_CHECKING:
    from agent.reading.formats.source import Source

_HEAD = Struct(">I4s").unpack_from
_CRC = Struct(">I").unpack_from
_IHDR = Struct(">IIBBBBB")
_CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
_PALETTE = 3
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), _PALETTE: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
"""How many bits a sample may have, by colour type (PNG specification, 11.2.1)."""


def check_png(source: Source) -> Finding:
    """Step over the chunks to IEND, which must follow some IDAT (PNG specification, chapters 5 and 11).

    A wrong CRC is damage in every chunk, also where viewers pass over it (libpng does in chunks that no pixel needs): a
    byte is not the one that was written. A few programs are known to have written wrong ones there (the npm package
    meta-png until 2022, draw.io until 2019), so the sentence says what to do if the copy is the same.
    """
    source.skip(8)
    walk = _Walk(source)
    while walk.parts < MOST_PARTS:
        walk.hurry()
        finding = walk.step()
        if finding is not None:
            return finding
    return Finding(walk.pixels, f"damaged: more than {MOST_PARTS:,} chunks; save it again")


class _Walk:
    """A walk from chunk to chunk, and what it has found out."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.parts = 0
        self.pixels: tuple[int, int] | None = None
        self._colour = 0
        self._has_palette = False
        self._stored = 0
        """How many bytes of picture data there were."""
        self._began = self._is_past = False
        """Whether the picture data began, and whether it is over."""
        self._exif = b""
        self._orientation = 1
        self._pictures = 1
        self._samples: Samples | None = None

    def hurry(self) -> None:
        """Pass the chunks of picture data that lie whole in what was read, one after the other, up to a damaged one.

        Some programs write them of 8 KiB: a check then takes 1.44 times as long as the sha256 alone, 1.75 with `step`
        alone, to which the rest is left (measured).
        """
        buffer, start, end = self.source.chunk
        if not self._began or self._is_past:
            return
        view, at = memoryview(buffer), start
        while at + 12 <= end and self.parts < MOST_PARTS:
            length, kind = _HEAD(buffer, at)
            crc = at + 8 + length
            if kind != b"IDAT" or crc + 4 > end or crc32(view[at + 4 : crc]) != _CRC(buffer, crc)[0]:
                break
            self.parts += 1
            self._stored += length
            if self._samples:
                self._samples.feed(view[at + 8 : crc])
            at = crc + 4
        self.source.skip(at - start)

    def step(self) -> Finding | None:
        """Go over the next chunk; return what is found as soon as it is known."""
        self.parts += 1
        at = self.source.position
        head = self.source.take(8)
        if len(head) < 8:
            return Finding(self.pixels, cut_short("the PNG has no end chunk (IEND)"))
        length, kind = int.from_bytes(head[:4]), head[4:]
        if (problem := self._not_a_chunk(at, length, kind)) is not None:
            return Finding(self.pixels, self._zeros_before(at + 8) or problem)
        self._begin(at + 8, length, kind)
        crc = crc32(kind)
        for piece in self.source.pieces(length):
            crc = crc32(piece, crc)
            if kind == b"IDAT" and self._samples:
                self._samples.feed(piece)
        stored = self.source.take(4)
        if len(stored) < 4:
            ends = f"the file ends before the {length:,} bytes of its chunk {kind.decode()} at byte {at:,} do"
            return Finding(self.pixels, cut_short(ends))
        if crc != int.from_bytes(stored):
            return Finding(self.pixels, self._damaged(at, kind))
        if (problem := self._wrong(at, kind)) is not None:
            return Finding(self.pixels, problem)
        return self._ended() if kind == b"IEND" else None

    def _not_a_chunk(self, at: int, length: int, kind: bytes) -> str | None:
        """Return what is wrong with a chunk by its first 8 bytes."""
        is_header = kind == b"IHDR"
        misplaced = (at == 8) != is_header or (is_header and length != _IHDR.size)
        if misplaced or not kind.isalpha() or length >= 2**31:
            return f"damaged: the PNG's chunk at byte {at:,} is none ({kind!r}, {length:,} bytes); copy it again"
        return None

    def _begin(self, at: int, length: int, kind: bytes) -> None:
        """Note what a chunk says whose content begins there: few bytes, of a chunk that is not proved yet."""
        if kind == b"PLTE":
            self._has_palette = length % 3 == 0 and 3 <= length <= 768
        elif kind == b"IDAT":
            self._stored += length
        elif kind == b"eXIf" and not self._exif:
            self._exif = self.source.peek(min(length, MOST_BYTES), at)
            if not self._began and not self._exif.startswith(MARK):  # else libpng, and so Chromium, passes over it
                self._orientation = orientation_in(self._exif)
        elif kind == b"acTL" and not self._began:
            self._pictures = int.from_bytes(self.source.peek(4, at))

    def _damaged(self, at: int, kind: bytes) -> str:
        """Return the sentence for a chunk whose content and CRC differ; the next byte is the one behind it."""
        end = self.source.position
        if (zeros := self._zeros_before(end)) is not None:
            return zeros
        hole = next(self.source.holes(at, end), None)
        where = f"; bytes {hole[0]:,} to {hole[1] - 1:,} are a hole, as if never written" if hole else ""
        differs = f"damaged: the PNG's chunk {kind.decode()}, bytes {at:,} to {end - 1:,}, differs from its checksum"
        again = "copy it again" if kind in _CRITICAL else "copy it again, or save it anew if the copy is the same"
        return f"{differs} (CRC){where}; {again}"

    def _zeros_before(self, end: int) -> str | None:
        """Return the sentence for a file that is nothing but zeros from a byte before `end` on.

        A checksum may end in some: fewer than four at the end of the file prove nothing.
        """
        self.source.drain()
        zeros = self.source.content_end
        if zeros >= min(end, self.source.size - 3):
            return None
        return cut_short(f"the PNG goes on in zeros from byte {zeros:,}")

    def _wrong(self, at: int, kind: bytes) -> str | None:
        """Return what is wrong with a chunk that is as it was written: to copy it again helps none."""
        if kind == b"IHDR":
            return self._header(self.source.peek(_IHDR.size, at + 8))
        if kind == b"IDAT":
            if self._is_past:
                return f"damaged: the PNG's picture data is interrupted before byte {at:,}; save it anew"
            if self._colour == _PALETTE and not self._has_palette:
                return "damaged: the PNG has no palette (PLTE) before its picture data; save it anew"
            self._began = True
            return None
        self._is_past = self._began
        if kind not in _CRITICAL and kind[:1].isupper():
            return f"not an ordinary PNG: browsers do not know its chunk {kind.decode()}; export it as an ordinary PNG"
        return None

    def _header(self, head: bytes) -> str | None:
        width, height, depth, colour, compression, filtering, interlaced = _IHDR.unpack(head)
        sizes = 0 < width < 2**31 and 0 < height < 2**31
        if sizes and depth in _DEPTHS.get(colour, ()) and not compression and not filtering and interlaced <= 1:
            self.pixels, self._colour = (width, height), colour
            self._samples = Samples(width, colour) if depth == 16 and not interlaced else None
            return None
        return (
            f"damaged: the PNG's header (IHDR) says what cannot be: {width} x {height} pixels, {depth} bits, colour "
            f"type {colour}, compression {compression}, filter {filtering}, interlace {interlaced}; save it anew"
        )

    def _ended(self) -> Finding:
        if not self._stored:
            return Finding(self.pixels, "damaged: the PNG holds no picture data; copy it again")
        if self._samples and self._samples.is_broken:
            return Finding(self.pixels, "damaged: the PNG's picture data cannot be unpacked; save it anew")
        said = [self._samples.warning if self._samples else None]
        if self._pictures > 1:
            said.append(animated(self._pictures, "PNG"))
        warnings = tuple(filter(None, said))
        return Finding(self.pixels, taken=taken_in(self._exif), orientation=self._orientation, warnings=warnings)
