"""The files of a large folder in few bytes: 48 each and their names, in place of 300. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agent.model.units import File

END = b"\0"
"""What stands between names: no file's name holds it."""
NUMBERS = 4
PIECE = 128
"""Files that are unpacked together."""
RUN = 5000
"""Files that are sorted together, which takes five milliseconds, and how many there are in each run."""
FEW = 2 * RUN
"""So many are kept as they are: it is less work."""


class PackedFiles(Sequence[tuple[str, int, int, int, int]]):
    """Files in runs, each of them in the order of its names."""

    def __init__(self) -> None:
        self._runs: list[list[tuple[bytes, array[int]]]] = []
        self._count = 0
        self.is_utf8 = True
        """Whether all names are UTF-8."""

    def add(self, files: Sequence[File]) -> None:
        """Add files, which are then a run."""
        ordered = sorted(files)
        self._runs.append([self._packed(ordered[at : at + PIECE]) for at in range(0, len(ordered), PIECE)])
        self._count += len(files)

    def runs(self) -> Iterator[Iterator[File]]:
        """Yield each run, in its order."""
        return map(_unpacked, self._runs)

    def __len__(self) -> int:
        """Return how many files there are."""
        return self._count

    def __iter__(self) -> Iterator[File]:
        """Walk over all files, run by run."""
        return chain.from_iterable(self.runs())

    @overload
    def __getitem__(self, place: int) -> File: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[File]: ...
    def __getitem__(self, place: int | slice) -> File | Sequence[File]:
        """Return a file, or several; this walks over those before."""
        if isinstance(place, slice):
            return tuple(islice(self, *place.indices(self._count)))
        return next(islice(self, range(self._count)[place], None))

    def _packed(self, files: Sequence[File]) -> tuple[bytes, array[int]]:
        names = "\0".join(file[0] for file in files)
        try:
            encoded = names.encode()
        except UnicodeEncodeError:
            self.is_utf8 = False
            encoded = names.encode("utf-8", "surrogateescape")
        return encoded, array("q", chain.from_iterable(file[1:] for file in files))


def _unpacked(run: Iterable[tuple[bytes, array[int]]]) -> Iterator[File]:
    for names, numbers in run:
        each = iter(numbers)
        yield from zip(names.decode("utf-8", "surrogateescape").split("\0"), *[each] * NUMBERS, strict=True)


class Collected:
    """Files that come one by one: those since `settle` are in `some`."""

    def __init__(self) -> None:
        self.some: list[File] = []
        self._packed = PackedFiles()

    def settle(self) -> None:
        """Pack what is there where that is much."""
        if len(self.some) >= (RUN if self._packed else FEW):
            self._packed.add(self.some)
            self.some = []

    def all(self) -> Sequence[File]:
        """Return all files, packed where they are many; nothing may be collected after that."""
        if not self._packed:
            return tuple(self.some)
        if self.some:
            self._packed.add(self.some)
        return self._packed


def as_files(files: Iterable[File]) -> Sequence[File]:
    """Return files, packed where they are many."""
    collected = Collected()
    for file in files:
        collected.some.append(file)
        collected.settle()
    return collected.all()
