"""What happens to files: cut, filled up with zeros, with holes, with parts that changed places or were never written.

Everything is at fixed shares of the file, and on borders of blocks of 4,096 bytes where a file system would have it.
"""

from __future__ import annotations

import enum
import os
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK: Final = 4096
_FILLS: Final = (0, 0xFF)


class Kind(enum.StrEnum):
    """What became of a file."""

    CUT = "cut"
    """It ends too early."""
    ZEROED = "zero tail"
    """Its length is right, and its last part is zeros: reserved, and not filled."""
    HOLE = "hole"
    """A block of 4,096 bytes in its middle is zeros, or 0xFF, as flash memory is that was erased."""
    LARGE_HOLE = "hole, 64 KiB"
    """The same with 16 blocks."""
    SWAP = "swap"
    """Two blocks have changed places."""
    BIT = "bit"
    """One bit is another."""
    SPARSE = "sparse"
    """Its middle was never written, and the file system says so: a downloader in parts, stopped."""


class Damaged(NamedTuple):
    """A file's content, damaged: `where` says how; `unwritten` is the part that is not to be written at all."""

    kind: Kind
    where: str
    content: bytes
    unwritten: tuple[int, int] | None = None

    def write(self, path: str) -> None:
        """Write it to a new file."""
        start, end = self.unwritten or (0, 0)
        with open(path, "wb") as file:
            file.write(self.content[:start])
            file.seek(end)
            file.write(self.content[end:])


def damages(content: bytes) -> Iterator[Damaged]:
    """Yield all that may become of a file, each time other than it was."""
    for damaged in (*_cuts(content), *_zeroed(content), *_holes(content), *_swaps(content), *_bits(content)):
        if damaged.content != content:
            yield damaged
    start, end = _block(content, 0.4), _block(content, 0.6)
    if end > start and any(content[start:end]):
        yield Damaged(Kind.SPARSE, "40 % to 60 %", _filled(content, start, end, 0), (start, end))


def _cuts(content: bytes) -> Iterator[Damaged]:
    for share in (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99):
        yield Damaged(Kind.CUT, f"at {share:.0%}", content[: int(share * len(content))])
    yield Damaged(Kind.CUT, "at a block", content[: _block(content, 0.6)])


def _zeroed(content: bytes) -> Iterator[Damaged]:
    for share in (0.1, 0.5, 0.9):
        start = int(share * len(content))
        yield Damaged(Kind.ZEROED, f"from {share:.0%}", _filled(content, start, len(content), 0))
    start = _block(content, 0.7)
    yield Damaged(Kind.ZEROED, "from a block", _filled(content, start, len(content), 0))


def _holes(content: bytes) -> Iterator[Damaged]:
    for kind, size in ((Kind.HOLE, BLOCK), (Kind.LARGE_HOLE, 16 * BLOCK)):
        for share in (0.3, 0.7):
            start = _block(content, share)
            for fill in _FILLS:
                if start + size < 0.95 * len(content):
                    where = f"0x{fill:02x} at {share:.0%}"
                    yield Damaged(kind, where, _filled(content, start, start + size, fill))


def _swaps(content: bytes) -> Iterator[Damaged]:
    for first, second in ((0.2, 0.5), (0.4, 0.8)):
        one, other = _block(content, first), _block(content, second)
        if one + BLOCK <= other:
            parts = content[:one], content[other : other + BLOCK], content[one + BLOCK : other]
            swapped = b"".join((*parts, content[one : one + BLOCK], content[other + BLOCK :]))
            yield Damaged(Kind.SWAP, f"of {first:.0%} and {second:.0%}", swapped)


def _bits(content: bytes) -> Iterator[Damaged]:
    at = len(content) // 2
    yield Damaged(Kind.BIT, "at 50%", content[:at] + bytes((content[at] ^ 0x10,)) + content[at + 1 :])


def _block(content: bytes, share: float) -> int:
    return int(share * len(content)) // BLOCK * BLOCK


def _filled(content: bytes, start: int, end: int, fill: int) -> bytes:
    return content[:start] + bytes((fill,)) * (end - start) + content[end:]


def write_sparsely(path: str, content: bytes) -> None:
    """Write a new file, but for its blocks of zeros, as `cp --sparse=always` and `rsync -S` do."""
    with open(path, "wb") as file:
        for at in range(0, len(content), BLOCK):
            block = content[at : at + BLOCK]
            if any(block):
                file.seek(at)
                file.write(block)
        file.truncate(len(content))


def shows_holes(folder: str) -> bool:
    """Tell whether the file system of a folder says which parts of a file were never written."""
    path = os.path.join(folder, "hole")
    Damaged(Kind.SPARSE, "", bytes(64 * BLOCK), (16 * BLOCK, 48 * BLOCK)).write(path)
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.lseek(fd, 0, os.SEEK_HOLE) < 64 * BLOCK
    finally:
        os.close(fd)
        os.unlink(path)
