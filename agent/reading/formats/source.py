"""The bytes of one open file, for those who judge it: one forward read that hashes, and small looks anywhere. I/O.

Memory stays at one chunk whatever the file's size. Raises `OSError` where the file cannot be read.
"""

from __future__ import annotations

import errno
import os
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from agent.reading.formats.equal_runs import LEAST, equal_runs

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

    from agent.model import Taken

MOST_PARTS = 200_000
"""Hostile files are made of millions of empty parts; real ones have some ten thousand (small IDATs)."""

_CHUNK = 256 * 1024
"""The first one: nearly all of most files."""
_LATER = 128 * 1024
"""The others: who looks at them after they were hashed still finds them in the processor's cache (measured)."""
_MOST_RUNS = 1_000  # the last of them then covers all that come after it
_TAIL = 256
_WINDOW = 8 * 1024


class Finding(NamedTuple):
    """What a format's own check says. Neither `problem` nor `doubt`: whole.

    `pixels` is (width, height) from the header; `problem` a sentence for a person; `doubt` says why the file must
    be decoded before it is believed; `zero_tail` counts the zero bytes at the end of the picture data if they are why;
    `taken` is when the picture was taken, if its EXIF says so. `orientation` is how a browser turns it before it is
    seen (EXIF, 1 to 8): always 1 in formats that browsers do not turn. `warnings` are sentences about what is odd and
    no reason to refuse. `doubtful` is where the bytes lie that `doubt` speaks of, if they have a place; in a JPEG, up
    to the end of the data that they are in. `held_bytes` is what a decoder must hold at once beside the picture.
    """

    pixels: tuple[int, int] | None = None
    problem: str | None = None
    doubt: str | None = None
    zero_tail: int = 0
    taken: Taken | None = None
    orientation: int = 1
    warnings: tuple[str, ...] = ()
    doubtful: tuple[tuple[int, int], ...] = ()
    held_bytes: int = 0


class BrokenError(Exception):
    """Ends a walk over a file that makes no sense; its text is the problem's sentence."""


def cut_short(what: str) -> str:
    """Return the sentence for a file that ends too early."""
    return f"cut short: {what}; copy it again"


def animated(pictures: int | str, form: str) -> str:
    """Return the warning of a file that holds several pictures to be shown in turn."""
    count = pictures if isinstance(pictures, str) else f"{pictures:,}"
    return f"it holds {count} pictures (an animated {form}): annotators may see the first alone, or all in turn"


def equal_bytes(start: int, end: int) -> str:
    """Return what is said of a run of equal bytes where picture data belongs."""
    return f"{end - start:,} equal bytes in its picture data from byte {start:,}"


def never_written(what: str) -> str:
    """Return the sentence for picture data of which a part is missing, before the end."""
    return f"damaged: {what}, as where a part was never written; copy it again"


def zeros(count: int) -> str:
    """Return the sentence for pixel data whose last `count` bytes are zeros that do not belong there."""
    return (
        f"cut short: its last {count:,} bytes of pixel data are zeros, as where space was reserved and never filled; "
        "copy it again (if the picture truly ends in black, save it as PNG)"
    )


class Source:
    """Reads the file `fd` of `size` bytes once, forwards, by `take`, `skip` and `search`; `peek` looks anywhere.

    `drain` reads what is left; after it `digest()` is the sha256 of all bytes in hex, and `content_end` the offset
    just after the last byte that is not zero. The descriptor's own file offset is of no account.
    """

    def __init__(self, fd: int, size: int) -> None:
        import hashlib  # noqa: PLC0415 - OpenSSL takes 3 MiB, and `explain` hashes nothing

        self.fd = fd
        self.size = size
        self.content_end = 0
        self._hash = hashlib.sha256()
        self.read = 0
        """How many bytes the forward read has had."""
        self._buffer: bytes | bytearray = b""
        self._at = self._end = 0
        self._seam = b""
        self.equal_runs: list[tuple[int, int]] | None = None
        """Where 512 or more equal bytes lie, once `note_equal_runs` was called; some shorter are among them."""

    @property
    def position(self) -> int:
        """The offset of the next byte of the forward read."""
        return self.read - (self._end - self._at)

    @property
    def chunk(self) -> tuple[bytes | bytearray, int, int]:
        """The chunk that was read last: a buffer, where the next byte is in it, and where its bytes end."""
        return self._buffer, self._at, self._end

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes; fewer only at the end of the file."""
        taken = b""
        while len(taken) < count and (self._at < self._end or self._refill()):
            part = self._buffer[self._at : min(self._at + count - len(taken), self._end)]
            self._at += len(part)
            taken += part
        return taken

    def skip(self, count: int) -> bool:
        """Pass over `count` bytes; False where the file ends before."""
        while count > self._end - self._at:
            count -= self._end - self._at
            if not self._refill():
                return False
        self._at += count
        return True

    def pieces(self, count: int) -> Iterator[memoryview]:
        """Pass over `count` bytes, and yield them as they lie in memory: each good until the next one is asked for.

        Fewer only at the end of the file.
        """
        while count and (self._at < self._end or self._refill()):
            piece = memoryview(self._buffer)[self._at : min(self._at + count, self._end)]
            self._at += len(piece)
            count -= len(piece)
            yield piece

    def search(self, pattern: re.Pattern[bytes]) -> int | None:
        """Go to just behind the next match of a two-byte `pattern` that begins with 0xFF; return its second byte."""
        while True:
            match = pattern.search(self._buffer, self._at, self._end)
            if match is not None:
                self._at = match.end()
                return match[0][1]
            straddles = self._end > self._at and self._buffer[self._end - 1] == 0xFF
            if not self._refill():
                return None
            if straddles:
                self._at = 0

    def search_past(self, pattern: re.Pattern[bytes], cycle: bytes) -> tuple[int | None, int]:
        """Do as `search`, but pass over matches that follow each other as in `cycle`; return how many, too.

        Many are compared at once: some files have one every few bytes.
        """
        passed = 0
        while True:
            end = min(self._at + _WINDOW, self._end)
            found = pattern.findall(self._buffer, self._at, end)
            said = b"".join(found)
            turn = 2 * passed % len(cycle)
            expected = (cycle * (len(said) // len(cycle) + 2))[turn : turn + len(said)]
            if differ := int.from_bytes(said) ^ int.from_bytes(expected):
                count = (len(said) - -(-differ.bit_length() // 8)) // 2
                self._at = next(islice(pattern.finditer(self._buffer, self._at, end), count, None)).end()
                return found[count][1], passed + count
            passed += len(found)
            straddles = end > self._at and self._buffer[end - 1] == 0xFF
            self._at = end - straddles
            if end == self._end:
                if not self._refill():
                    return None, passed
                self._at = 0 if straddles else self._at

    def peek(self, count: int, offset: int) -> bytes:
        """Return `count` bytes from `offset`; fewer at the end of the file. For small looks."""
        if not self.read:
            self._refill()
        at = offset - self.read + self._end  # where it is in the buffer, which holds the whole of a small file
        if 0 <= at <= self._end - count:
            return bytes(self._buffer[at : at + count])
        return os.pread(self.fd, count, offset) if 0 <= offset < self.size else b""

    def holes(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the parts of the file between two offsets that the file system calls holes and that read as zeros.

        lseek(2), SEEK_HOLE: a file system without support shows none, and some call bytes holes that are there. No
        proof that they were never written: `cp --sparse=always`, or ZFS with compression, turns zeros into holes.
        """
        at = start
        while at < end:
            try:
                begins = os.lseek(self.fd, at, os.SEEK_HOLE)
                at = os.lseek(self.fd, begins, os.SEEK_DATA) if begins < end else end
            except OSError as error:
                if error.errno == errno.ENXIO and begins < end:  # no data behind the hole
                    at = end
                elif error.errno in (errno.EINVAL, errno.ENXIO, errno.EOPNOTSUPP):
                    return
                else:
                    raise
            if begins < min(at, end) and self._reads_as_zeros(begins, min(at, end)):
                yield begins, min(at, end)

    def _reads_as_zeros(self, start: int, end: int) -> bool:
        return all(not any(os.pread(self.fd, min(_CHUNK, end - at), at)) for at in range(start, end, _CHUNK))

    def drain(self) -> None:
        """Read to the end of the file."""
        while self._refill():
            pass

    def note_equal_runs(self) -> None:
        """Fill `equal_runs` from here on, the chunk that was read last among it."""
        self.equal_runs, self._seam = [], b""
        self._note()

    def digest(self) -> str:
        """Return the sha256 of what was read, in hex."""
        return self._hash.hexdigest()

    def _refill(self) -> bool:
        if self.read == self.size:
            return False
        chunk: bytes | memoryview
        if not self.read:  # into memory that need not be cleared first
            chunk = self._buffer = os.pread(self.fd, min(_CHUNK, self.size), 0)
            self._at, self._end = 0, len(chunk)
        else:
            # Before the chunk stands the last byte of the one before, so that a two-byte marker can straddle them.
            buffer = self._buffer if isinstance(self._buffer, bytearray) else bytearray(1 + _LATER)
            buffer[0] = self._buffer[self._end - 1]
            room = memoryview(buffer)[1 : 1 + min(_LATER, self.size - self.read)]
            count = os.preadv(self.fd, [room], self.read)
            self._buffer, chunk = buffer, room[:count]
            self._at, self._end = 1, 1 + count
        self._hash.update(chunk)
        count = len(chunk)
        if count and chunk[-1]:
            self.content_end = self.read + count
        elif tail := len(bytes(chunk[-_TAIL:]).rstrip(b"\0")):  # no copy of all: that costs a digest
            self.content_end = self.read + max(0, count - _TAIL) + tail
        elif content := len(bytes(chunk).rstrip(b"\0")):
            self.content_end = self.read + content
        self.read += count
        self._note()
        return count > 0

    def _note(self) -> None:
        if self.equal_runs is None:
            return
        start = int(isinstance(self._buffer, bytearray))
        before = self.read - self._end
        found = [(before + first, before + last) for first, last in equal_runs(self._buffer, start, self._end)]
        if self._seam:
            seam = self._seam + bytes(self._buffer[start : min(start + LEAST - 1, self._end)])
            across = before + start - len(self._seam)
            found[:0] = [(across + first, across + last) for first, last in equal_runs(seam, 0, len(seam))]
        for run in found:
            last = self.equal_runs[-1] if self.equal_runs else None
            if last and (run[0] <= last[1] or len(self.equal_runs) == _MOST_RUNS):
                self.equal_runs[-1] = (last[0], max(last[1], run[1]))
            else:
                self.equal_runs.append(run)
        if self.read < self.size:
            self._seam = bytes(self._buffer[max(start, self._end - LEAST + 1) : self._end])
