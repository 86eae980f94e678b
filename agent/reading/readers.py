"""Who reads, as the other stages see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.host.workers import Pool
    from agent.model import Image, Kind, Stamp, Unit
    from agent.reading.reader import Reader


CHUNK_FILES = 128
"""Files that a worker process is asked for at once, at most; shorter sequences are read without."""


@dataclass(frozen=True, slots=True)
class Readers:
    """Who reads: threads for each kind of unit, so that no image waits for a sequence.

    `prepare` makes those for sequences ready for a long one. `fingerprint` tells how a folder looks now, or None
    where it has to be listed to know.
    """

    reader: Reader
    pools: Mapping[Kind, Pool]
    prepare: Callable[[], None] = lambda: None
    fingerprint: Callable[[str, str | None], bytes | None] = lambda _folder, _marker: None


@dataclass(slots=True)
class ImageReading:
    """Reads a single image; what it was `examined` to be, if it was, need not be found out again."""

    reader: Reader
    path: str
    stamp: Stamp
    examined: Image | None = None

    def __call__(self) -> Unit:
        """Read it. Raises as `Reader.image` does."""
        return self.reader.image(self.path, self.stamp, self.examined)


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done with a unit: `take` is handed what `reads` it."""

    take: Callable[[Callable[[], Unit]], None]
    reads: Callable[[], Unit]

    def __call__(self) -> None:
        """Do it."""
        self.take(self.reads)
