"""What was annotated, as it is drawn over a picture: outlines and dots with labels, by frame. Pure.

Coordinates are parts of the picture as it is seen: 0 is its left or upper edge, 1 its right or lower one.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from agent.model.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    ReadShapes = Callable[[object, Sequence[str]], "Drawing"]
    """Reads a target's result, of a job whose frames have these frame_ids, in order. Never raises for what it holds."""

Point = tuple[float, float]

MOST_POINTS: Final = 500_000
"""Points of one job that are kept, which take 60 MB."""
MOST_ON_A_FRAME: Final = 2_000
"""Shapes of a frame that are drawn, which is more than anybody can tell apart."""
MOST_SAID: Final = 100
LABEL_CHARACTERS: Final = 120
_FARTHEST: Final = 2.0


class Outline(NamedTuple):
    """Points that a line goes through in order, and back to the first where it is `closed`."""

    points: tuple[Point, ...]
    closed: bool


@dataclass(frozen=True, slots=True)
class Shape:
    """One thing on one frame: `kind` is a word for people (box, polygon …), `notes` what else is said of it.

    `dots` are points that stand for themselves.
    """

    kind: str
    label: str
    outlines: tuple[Outline, ...] = ()
    dots: tuple[Point, ...] = ()
    notes: tuple[str, ...] = ()

    def points(self) -> Iterable[Point]:
        """Yield all its points."""
        for outline in self.outlines:
            yield from outline.points
        yield from self.dots


@dataclass(slots=True)
class Drawing:
    """What was annotated in a job: shapes and sayings by the frame's position, and sayings about all of it.

    `undrawn` says what is there and is not drawn, each with how often.
    """

    shapes: dict[int, list[Shape]] = field(default_factory=dict)
    said: dict[int | None, list[str]] = field(default_factory=dict)
    undrawn: Counter[str] = field(default_factory=Counter)
    points: int = 0

    def draw(self, position: int, shape: Shape) -> None:
        """Take a shape, unless it has no place on a picture or there are too many."""
        points = list(shape.points())
        if not points or not all(map(_is_near, points)):
            self.undrawn[f"{shape.kind}: it has no place on the picture"] += 1
        elif self.points + len(points) > MOST_POINTS:
            self.undrawn["there are too many: see the file itself"] += 1
        elif len(on_it := self.shapes.setdefault(position, [])) >= MOST_ON_A_FRAME:
            self.undrawn[f"more than {MOST_ON_A_FRAME:,} on one frame: see the file itself"] += 1
        else:
            self.points += len(points)
            on_it.append(shape)

    def say(self, position: int | None, text: str) -> None:
        """Take what is said of a frame, or (None) of the whole job."""
        said = self.said.setdefault(position, [])
        if len(said) < MOST_SAID:
            said.append(text)
        else:
            self.undrawn["more is said than is shown: see the file itself"] += 1


def label(text: object) -> str:
    """Return a label as it is shown: bounded, and without control characters."""
    shown = printable(str(text)[: 2 * LABEL_CHARACTERS]).strip()
    return shown if len(shown) <= LABEL_CHARACTERS else f"{shown[: LABEL_CHARACTERS - 1]}…"


def number(value: object) -> float | None:
    """Return a finite number of a document, None for all else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def _is_near(point: Point) -> bool:
    """Tell whether a point is on the picture, or so near that it is seen where it leaves."""
    return all(-_FARTHEST < side < 1 + _FARTHEST for side in point)
