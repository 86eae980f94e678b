"""Do a JPEG's data fit around the equal bytes in it? Pillow decodes it, with other bytes at these places. I/O.

libjpeg does not stop where Huffman codes make no sense, and Pillow does not hand on its warnings. But what a run of
bytes stands for that do not belong there hardly ever is as many blocks as were there before. So the data of the scan
either ends before the picture does, or the picture before the data; and both can be seen: by whether bytes that are put
there change the picture.
"""

from __future__ import annotations

import io
import os
import random
from hashlib import sha256
from typing import TYPE_CHECKING

from agent.reading.formats.jpeg_runs import SPARE
from agent.reading.pillow import jpeg_file

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from agent.reading.formats.source import Source

# Two, since one alone may happen to say what was there, or what is cut off at white or black.
_OTHERS = [bytes(random.Random(seed).choices(range(1, 255), k=256)) for seed in (7, 8)]  # noqa: S311 - no secrets


def fit(source: Source, suspects: tuple[tuple[int, int], ...]) -> bool:
    """Tell whether the picture needs all data that it has, and no more, in the stretches where the suspects are.

    What makes no difference to the picture is no damage: space behind its last block. Raises what Pillow raises.
    """
    whole = _seen(source, 0, 0, b"")
    for begins, ends in suspects:
        if all(_seen(source, begins, ends, other) == whole for other in _OTHERS):
            continue
        if begins == ends or any(_seen(source, ends, ends, other) != whole for other in _OTHERS):
            return False
        if all(_seen(source, ends - SPARE, ends, other) == whole for other in _OTHERS):
            return False
    return True


def _seen(source: Source, start: int, end: int, other: bytes) -> bytes:
    """Return a digest of the picture at half its size, with `other` in place of the bytes from `start` to `end`.

    At half the size, since the coefficients that most scans of a progressive picture hold do not show at an eighth.
    """
    with io.BufferedReader(_Edited(source, start, end, other), 65_536) as file, jpeg_file()(file) as picture:
        picture.draft(None, (-(-picture.width // 2), -(-picture.height // 2)))
        picture.load()
        return sha256(picture.tobytes()).digest()


class _Edited(io.RawIOBase):
    """The file of a source, with `other` in place of its bytes from `start` to `end`."""

    def __init__(self, source: Source, start: int, end: int, other: bytes) -> None:
        self._fd, self._size = source.fd, source.size + len(other) - (end - start)
        self._start, self._end, self._other = start, end, other
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        room = memoryview(buffer)
        at = self._at - self._start
        if at < 0:
            count = os.preadv(self._fd, [room[:-at]], self._at)
        elif at < len(self._other):
            piece = self._other[at : at + len(room)]
            count = len(piece)
            room[:count] = piece
        else:
            count = os.preadv(self._fd, [room], at - len(self._other) + self._end)
        self._at += count
        return count
