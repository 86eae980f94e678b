"""A unit's files as one number: equal where nothing was touched. Pure."""

from __future__ import annotations

from itertools import islice
from marshal import dumps
from operator import attrgetter
from typing import TYPE_CHECKING

from agent.core.states import State
from agent.model import Stamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agent.model import (
        Entry,
        File,
        Frame,
    )


HASHED_TOGETHER = 1000


def fingerprint_of(files: Iterable[File]) -> bytes:
    """Return 16 bytes that are equal exactly where names, sizes, times and inodes are, in whatever order they come.

    The ledger keeps it (`seen`): made in another way, every sequence would be read once more at the next start.
    marshal's version 2 is a plain, stable encoding of tuples of text and integers, and four times faster than any
    other in the standard library; later versions depend on reference counts.
    """
    return _fingerprint(sorted(files))


def fingerprint(entries: Iterable[Entry]) -> bytes:
    """Return the `fingerprint_of` files that are at hand as entries."""
    return _fingerprint((name, *stamp) for name, stamp in sorted(entries))


def fingerprint_of_frames(frames: Iterable[Frame]) -> bytes:
    """Return the `fingerprint_of` files that are at hand as frames; entries of 100,000 would take 8 MiB more."""
    ordered = sorted(frames, key=attrgetter("frame_id"))
    return _fingerprint((frame.frame_id, *frame.stamp) for frame in ordered)


def _fingerprint(ordered: Iterable[File]) -> bytes:
    from hashlib import sha256  # noqa: PLC0415 - OpenSSL takes 3 MiB, and `explain` hashes nothing

    files = iter(ordered)
    digest = sha256()
    while piece := list(islice(files, HASHED_TOGETHER)):  # in pieces: a copy of 100,000 files is 20 MiB
        digest.update(dumps(piece, 2))
    return digest.digest()[:16]


def unlike(known: Iterable[File], seen: Iterable[File]) -> list[str]:
    """Return the names of files that are not as they were, or not in both."""
    were = {*known}
    differ = were.symmetric_difference(seen)  # few, or none: it is they that are looked at more closely
    before = {name: Stamp(*stamp) for name, *stamp in differ & were}
    after = {name: Stamp(*stamp) for name, *stamp in differ - were}
    both = before.keys() & after.keys()
    return [name for name in before.keys() | after.keys() if name not in both or not before[name].is_like(after[name])]


def odd_looks(known: Sequence[File], seen: Sequence[File]) -> int | None:
    """Count the files that differ from what is known of them in their inode alone; None where anything else differs."""
    if unlike([(*file[:4], 0) for file in known], seen):
        return None
    before = {name: Stamp(*stamp) for name, *stamp in known}
    return sum(before[name].is_odd(Stamp(*stamp)) for name, *stamp in seen)


def is_displaced(before: Stamp, now: Stamp, elsewhere: Stamp) -> bool:
    """Tell whether a file that looked as `before` is the one `elsewhere`, of the same bytes, and `now` another one.

    Where inodes do not last, size and time of modification must do: renaming keeps them.
    """
    if before.inode and now.inode and elsewhere.inode:
        return before.inode == elsewhere.inode != now.inode
    return before[:2] == elsewhere[:2] != now[:2]


def is_at_rest(state: State, known: Stamp | bytes | None, seen: Stamp | bytes) -> bool:
    """Tell whether a unit that looks like `seen` needs no further look, its newest row being in `state`."""
    if state in (State.SETTLING, State.GONE):
        return False
    return known == seen or (isinstance(known, Stamp) and isinstance(seen, Stamp) and known.is_like(seen))
