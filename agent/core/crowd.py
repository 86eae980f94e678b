"""Single images that wait, many of one folder that were first seen in the same moment, kept in few bytes. Pure.

A wait of its own takes 400 bytes; kept so it takes 10 and its name. One by one they are taken out: who has anything to
say of an image takes it, and then it waits on its own.
"""

from __future__ import annotations

import heapq
import math
from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from agent.model import basename, join, parent
from agent.model.units import Kind, UnitKey

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

END = b"\0"
"""What stands around each name: no file's name holds it."""


class Calm(NamedTuple):
    """What is known of an image that was looked at once: how it looked, since when, and its quiet time."""

    look: int
    since: float
    quiet: float


class _Batch:
    """Images of one folder, by their names in order."""

    def __init__(self, folder: str, names: Sequence[str], looks: Sequence[int], since: float, quiet: float) -> None:
        self.folder = folder
        self.first = names[0]
        self.last = names[-1]
        self.since = since
        self.quiet = quiet
        self.left = len(names)
        self._names = b"".join((END, END.join(map(_bytes, names)), END))
        self._looks = array("q", looks)
        self._is_here = bytearray(b"\1" * len(names))
        self._at = (0, len(END))

    def place(self, name: str) -> int | None:
        """Return where a name stands, None where it is not (any more) here."""
        at = self._names.find(END + _bytes(name) + END)
        place = self._names.count(END, 0, at) if at >= 0 else None
        return place if place is not None and self._is_here[place] else None

    def names(self) -> Iterator[str]:
        """Yield the names that are still here."""
        names = self._names[1:-1].split(END)
        return (_text(name) for name, is_here in zip(names, self._is_here, strict=True) if is_here)

    def next(self) -> tuple[str, int]:
        """Return the first name that is still here, and where it stands; those before it are not asked for again."""
        place, begin = self._at
        while True:
            end = self._names.index(END, begin)
            if self._is_here[place]:
                self._at = (place, begin)
                return _text(self._names[begin:end]), place
            place, begin = place + 1, end + len(END)

    def take(self, place: int) -> Calm:
        """Take one out."""
        self._is_here[place] = 0
        self.left -= 1
        return Calm(self._looks[place], self.since, self.quiet)


class Crowd:
    """Images that have been looked at once, and wait for their quiet time to be over."""

    def __init__(self) -> None:
        self._rows: dict[str, list[list[_Batch]]] = {}  # of each folder, batches in the order of their names
        self._due: list[tuple[float, int, _Batch]] = []
        self._added = 0
        self._count = 0

    def __len__(self) -> int:
        """Return how many there are."""
        return self._count

    def __contains__(self, unit: UnitKey) -> bool:
        """Tell whether an image is here."""
        return bool(self._count) and self._found(unit) is not None

    def __iter__(self) -> Iterator[UnitKey]:
        """Walk over them all."""
        return (
            UnitKey(join(batch.folder, name), Kind.IMAGE)
            for rows in self._rows.values()
            for row in rows
            for batch in row
            for name in batch.names()
        )

    def add(self, folder: str, names: Sequence[str], looks: Sequence[int], since: float, quiet: float) -> None:
        """Take in images of a folder, by their names in order, none of which is here."""
        batch = _Batch(folder, names, looks, since, quiet)
        rows = self._rows.setdefault(folder, [])
        row = next((row for row in rows if row[-1].last < batch.first), None)  # one for each listing that is behind it
        if row is None:
            rows.append([batch])
        else:
            row.append(batch)
        self._added += 1
        heapq.heappush(self._due, (since + quiet, self._added, batch))
        self._count += batch.left

    def take(self, unit: UnitKey) -> Calm | None:
        """Take an image out; None where it is not here."""
        found = self._found(unit) if self._count else None
        return None if found is None else self._taken(*found)

    def deadline(self) -> float:
        """Return when the next one's quiet time is over, infinity where none waits."""
        while self._due and not self._due[0][2].left:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else math.inf

    def next(self) -> tuple[UnitKey, Calm]:
        """Take out the one whose deadline is next."""
        batch = self._due[0][2]
        name, place = batch.next()
        return UnitKey(join(batch.folder, name), Kind.IMAGE), self._taken(batch, place)

    def growing(self, now: float, factor: float) -> Iterator[UnitKey]:
        """Yield those that were seen longer than `factor` times their quiet time ago."""
        for _, _, batch in self._due:
            if now - batch.since > factor * batch.quiet:
                yield from (UnitKey(join(batch.folder, name), Kind.IMAGE) for name in batch.names())

    def _found(self, unit: UnitKey) -> tuple[_Batch, int] | None:
        if unit.kind is not Kind.IMAGE:
            return None
        name = basename(unit.path)
        for row in self._rows.get(parent(unit.path), ()):
            if name > row[-1].last:
                continue  # of a folder that is listed each is behind those before it: asked first, it takes a third
            at = bisect_right(row, name, key=_first) - 1
            if at >= 0 and name <= row[at].last and (place := row[at].place(name)) is not None:
                return row[at], place
        return None

    def _taken(self, batch: _Batch, place: int) -> Calm:
        calm = batch.take(place)
        self._count -= 1
        if not batch.left:
            self._remove(batch)
        return calm

    def _remove(self, batch: _Batch) -> None:
        rows = self._rows[batch.folder]
        for row in rows:
            if batch in row:
                row.remove(batch)
        self._rows[batch.folder] = [row for row in rows if row]
        if not self._rows[batch.folder]:
            del self._rows[batch.folder]


def _first(batch: _Batch) -> str:
    return batch.first


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
