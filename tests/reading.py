"""Sequences that were read without a disk: names, and what their files are said to be."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING, Any, cast

from agent.model import Image, Unit
from agent.reading.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from agent.model import File, Taken
    from agent.reading.examiner import FileExaminer

DAY_NS = 86_400_000_000_000


def read(
    names: Iterable[str],
    *,
    taken: Mapping[str, Taken] | None = None,
    bytes_of: Mapping[str, str] | None = None,
    written: Mapping[str, int] | None = None,
    seed: int = 0,
    **rules: Any,
) -> Unit:
    """Return the unit of a folder of these names, listed in any order.

    `taken` says when by their EXIF, `bytes_of` what they hold where it is not their own, `written` their files' times.
    """

    def frames(_folder: str, files: Iterable[File]) -> Iterator[tuple[File, Image]]:
        for file in files:
            name = file[0]
            content = (bytes_of or {}).get(name, name)
            digest = hashlib.sha256(content.encode("utf-8", "surrogateescape")).hexdigest()
            yield file, Image(digest, taken=(taken or {}).get(name))

    files = [(name, 1, (written or {}).get(name, 0), 0, number) for number, name in enumerate(names)]
    random.Random(seed).shuffle(files)
    reader = Reader(cast("FileExaminer", None), rules.pop("gaps", "warn"), frames, **rules)
    return reader.sequence("drive", files)


def names_of(unit: Unit) -> list[str]:
    """Return the frames' names in the order in which they are sent."""
    return [frame.frame_id for frame in unit.frames]


def at(seconds: float, digits: int = 3, *, zoned: bool = False) -> Taken:
    """Return a time as EXIF says it, with so many digits behind the second."""
    return round(seconds * 10**digits) * 10 ** (9 - digits), digits, zoned


def one_by_one(names: Sequence[str], step: float = 0.1, digits: int = 3) -> dict[str, Taken]:
    """Return times that rise with the names as they are given."""
    return {name: at(1_700_000_000 + place * step, digits) for place, name in enumerate(names)}
