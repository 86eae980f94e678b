"""What the agent says of pictures, good and damaged, and the shares that it must find."""

from __future__ import annotations

import os
import struct
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.examined import look_at
from tests.pictures.damage import Kind, damages

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from agent.model import Image
    from tests.pictures.made import Good

SMALLEST: Final = 40 * 1024
"""Bytes of a file that is damaged: holes must not be most of it."""
SAMPLE: Final = 11
"""Files of each group that are damaged."""
LEAST: Final[Mapping[str, Mapping[Kind, float]]] = {
    "JPEG": {Kind.ZEROED: 1.0, Kind.HOLE: 40 / 44, Kind.LARGE_HOLE: 40 / 44, Kind.SPARSE: 40 / 44},
    "PNG": dict.fromkeys(Kind, 1.0),
    "WebP lossy": {Kind.ZEROED: 0.95, Kind.HOLE: 0.95, Kind.LARGE_HOLE: 0.95, Kind.SPARSE: 0.95},
    "WebP lossless": {Kind.ZEROED: 0.95, Kind.HOLE: 0.75, Kind.LARGE_HOLE: 0.95, Kind.SPARSE: 0.95},
    "TIFF packed": {Kind.ZEROED: 0.95, Kind.HOLE: 0.6, Kind.LARGE_HOLE: 0.7, Kind.SPARSE: 0.6},
    "GIF": {Kind.ZEROED: 0.95},
    "AVIF": {Kind.ZEROED: 0.95},
}
"""The share of damages that must be found; where none stands here, nothing in the file proves it: bare pixels, and
parts of coded ones that changed places. Every cut must be.
"""
_SAVED_AS_PNG: Final = "save it as PNG)"
_SCENES: Final = ("street-1280x720", "night-1280x720", "sky-1280x720", "fisheye-640x480")


def group_of(image: Image, path: str) -> str:
    """Tell as what a picture counts: its format, told apart where pixels lie bare or packed."""
    if image.format == "TIFF":
        return "TIFF packed" if _is_packed(path) else "TIFF raw"
    if image.format == "WebP":
        with open(path, "rb") as file:
            return "WebP lossless" if b"VP8L" in file.read(64) else "WebP lossy"
    return image.format or "none"


def _is_packed(path: str) -> bool:
    """Tell whether a TIFF's first picture is compressed (Pillow 13 opens no BigTIFF whose numbers are big-endian)."""
    with open(path, "rb") as file:
        content = file.read()
    order = "<" if content.startswith(b"II") else ">"
    is_big = 43 in content[2:4]
    start: int = struct.unpack_from(f"{order}{'Q' if is_big else 'I'}", content, 8 if is_big else 4)[0]
    count: int = struct.unpack_from(f"{order}{'Q' if is_big else 'H'}", content, start)[0]
    first, size, held = (start + 8, 20, 12) if is_big else (start + 2, 12, 8)
    tags = {
        struct.unpack_from(f"{order}H", content, at)[0]: struct.unpack_from(f"{order}H", content, at + held)[0]
        for at in range(first, first + count * size, size)
    }
    return bool(tags.get(259, 1) != 1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was said of a good file. `is_told`: refused, but with the way out, as a raster that is all black is."""

    good: Good
    group: str
    problem: str | None
    warning: str | None

    @property
    def is_told(self) -> bool:
        """Whether it is refused in words that say what to do."""
        return self.problem is not None and self.problem.endswith(_SAVED_AS_PNG) and "black" in self.good.scene

    @property
    def is_refused(self) -> bool:
        """Whether a whole picture is refused for nothing."""
        return self.problem is not None and not self.is_told


def judged(good: Good) -> Verdict:
    """Have a good file examined."""
    image = look_at(Path(good.path))
    return Verdict(good, group_of(image, good.path), image.problem, image.warning)


@dataclass(slots=True)
class Shares:
    """How many damages of each group and kind there were, were found, or were at least warned of."""

    all: Counter[tuple[str, Kind]] = field(default_factory=Counter)
    found: Counter[tuple[str, Kind]] = field(default_factory=Counter)
    warned: Counter[tuple[str, Kind]] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)

    def groups(self) -> list[str]:
        """Return the groups in order."""
        return sorted({group for group, _ in self.all})

    def told(self, group: str, kind: Kind) -> str:
        """Return the share in words."""
        at = (group, kind)
        if not self.all[at]:
            return ""
        warned = f", warned {self.warned[at]}" if self.warned[at] else ""
        return f"{self.found[at]}/{self.all[at]}{warned}"

    def is_reached(self, group: str, kind: Kind) -> bool:
        """Tell whether as many are found as must be."""
        return self.found[group, kind] >= least(group, kind) * self.all[group, kind] - 1e-9

    def short(self) -> list[str]:
        """Return the groups and kinds of which too few were found."""
        return [
            f"{group}: {kind}: {self.told(group, kind)}, at least {least(group, kind):.0%}"
            for group in self.groups()
            for kind in Kind
            if not self.is_reached(group, kind)
        ]


def least(group: str, kind: Kind) -> float:
    """Return the share that must be found: what is not proved by the file's own structure has none."""
    return 1.0 if kind is Kind.CUT else LEAST.get(group, {}).get(kind, 0.0)


def sample(verdicts: Iterable[Verdict]) -> dict[str, list[Good]]:
    """Return files of every group to damage, of as many encoders as there are: those that passed and are not small."""
    apt: dict[str, list[Good]] = {}
    for verdict in verdicts:
        good = verdict.good
        if good.scene in _SCENES and verdict.problem is None and os.path.getsize(good.path) >= SMALLEST:
            apt.setdefault(verdict.group, []).append(good)
    return {group: _spread(goods) for group, goods in apt.items()}


def _spread(goods: Sequence[Good]) -> list[Good]:
    return [goods[at * len(goods) // SAMPLE] for at in range(SAMPLE)] if len(goods) > SAMPLE else list(goods)


def damaged(goods: dict[str, list[Good]], folder: Path, *, sparse: bool) -> Shares:
    """Damage the files and have each examined; without `sparse` not those whose file system must tell of holes."""
    shares, path = Shares(), str(folder / "damaged")
    for group, files in goods.items():
        for good in files:
            with open(good.path, "rb") as file:
                content = file.read()
            for damage in damages(content):
                if damage.kind is Kind.SPARSE and not sparse:
                    continue
                damage.write(path)
                image = look_at(Path(path))
                at = (group, damage.kind)
                shares.all[at] += 1
                shares.found[at] += image.problem is not None
                shares.warned[at] += image.problem is None and image.warning is not None
                if image.problem is None:
                    shares.missed.append(f"{group}: {damage.kind} {damage.where}: {good}")
    return shares
