"""GIF: does the file hold its format's end? One forward walk over its blocks (CompuServe's GIF89a, 1990).

The check takes a `Source` at offset 0 and returns a `Finding`. Picture data is a chain of blocks of at most 255 bytes,
each behind its length: a hole, a cut and a tail of zeros break it. Bytes after the trailer are fine. What no check
without a decoder can see: changed bytes within a block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agent.reading.formats.source import MOST_PARTS, BrokenError, Finding, animated, cut_short

if TYPE_CHECKING:
    from agent.reading.formats.source import Source

_IMAGE, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B
_MOST_CODE_BITS = 11  # codes have at most 12 bits, one more than the pixels' own

# Encoders fill each block but an image's last one: more short ones than this are a hostile file's.
_USUAL_BLOCK = 128


class _Image(NamedTuple):
    """Where a picture lies on the screen, its size, and how many bytes of data it has."""

    left: int
    top: int
    width: int
    height: int
    stored: int


def check_gif(source: Source) -> Finding:
    """Step over the blocks to the trailer, which must follow some picture data.

    `pixels` are the screen's, widened where the first picture reaches beyond it.
    """
    screen: tuple[int, int] | None = None
    try:
        walk = _Walk(source)
        screen = walk.screen()
        images = walk.images()
    except BrokenError as broken:
        return Finding(screen, str(broken))
    if not images or not all(image.stored and image.width and image.height for image in images):
        return Finding(screen, "damaged: a picture of the GIF holds no data; copy it again")
    first = images[0]
    pixels = (max(screen[0], first.left + first.width), max(screen[1], first.top + first.height))
    return Finding(pixels, warnings=(animated(len(images), "GIF"),) if len(images) > 1 else ())


class _Walk:
    """Goes through the blocks of a GIF, and never further than its bytes."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._blocks_left = MOST_PARTS + source.size // _USUAL_BLOCK

    def screen(self) -> tuple[int, int]:
        """Return the size of the logical screen, having passed over its colours."""
        self._take(6)
        head = self._take(7)
        self._colours(head[4])
        return _size(head)

    def images(self) -> list[_Image]:
        """Return what is known of the pictures up to the trailer. Raises BrokenError."""
        found: list[_Image] = []
        for _ in range(MOST_PARTS):
            at = self._source.position
            kind = self._take(1)[0]
            if kind == _TRAILER:
                return found
            if kind == _IMAGE:
                found.append(self._image())
            elif kind == _EXTENSION:
                self._take(1)
                self._chain()
            elif not kind and not any(self._source.peek(16, at)):
                raise BrokenError(cut_short(f"the GIF goes on in zeros from byte {at:,}"))
            else:
                raise BrokenError(f"damaged: the GIF's block at byte {at:,} is none (0x{kind:02x}); copy it again")
        raise BrokenError(f"damaged: more than {MOST_PARTS:,} blocks; save it again")

    def _image(self) -> _Image:
        head = self._take(9)
        self._colours(head[8])
        if self._take(1)[0] > _MOST_CODE_BITS:
            raise BrokenError("damaged: a picture of the GIF has codes of an impossible size; copy it again")
        return _Image(*_size(head), *_size(head[4:]), self._chain())

    def _colours(self, packed: int) -> None:
        if packed & 0x80:
            self._skip(3 << (packed & 7) + 1)

    def _chain(self) -> int:
        """Pass over data blocks to the empty one that ends them; return how many bytes they hold."""
        stored = 0
        while True:
            stored += self._hurry()
            length = self._take(1)[0]
            if not length:
                return stored
            self._skip(length)
            stored += length
            self._spend(1)

    def _hurry(self) -> int:
        """Pass over the data blocks that lie whole in what was read, thrice as fast (measured); return their bytes."""
        buffer, start, end = self._source.chunk
        at, count = start, 0
        while at < end and (length := buffer[at]) and at + length < end:
            at += length + 1
            count += 1
        self._source.skip(at - start)
        self._spend(count)
        return at - start - count

    def _spend(self, blocks: int) -> None:
        self._blocks_left -= blocks
        if self._blocks_left <= 0:
            raise BrokenError("damaged: the GIF is made of too many small blocks; save it again")

    def _take(self, count: int) -> bytes:
        taken = self._source.take(count)
        if len(taken) < count:
            raise BrokenError(cut_short("the GIF has no end (trailer)"))
        return taken

    def _skip(self, count: int) -> None:
        if not self._source.skip(count):
            raise BrokenError(cut_short("the GIF has no end (trailer)"))


def _size(head: bytes) -> tuple[int, int]:
    return int.from_bytes(head[:2], "little"), int.from_bytes(head[2:4], "little")
