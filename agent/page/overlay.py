"""Shapes as SVG has them: points in pixels of the picture as it is seen, and a label where there is room. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from agent.core.annotations import colour

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.model.shapes import Point, Shape

_TEXT_PARTS = 55
"""So many letters would stand above each other along the longer side."""


class Path(NamedTuple):
    """Points as an attribute of SVG; `closed` tells a polygon from a line."""

    points: str
    closed: bool


class Sketch(NamedTuple):
    """A shape that is drawn: its label stands at `x`, `y`; `told` is what it is, in words."""

    colour: str
    label: str
    paths: list[Path]
    dots: list[Point]
    x: float
    y: float
    told: str


class Entry(NamedTuple):
    """A class on a frame: of which kind, and how often."""

    colour: str
    label: str
    kind: str
    times: int


def text_size(width: int, height: int) -> float:
    """Return the height of letters on a picture of a size."""
    return round(max(width, height) / _TEXT_PARTS, 2)


def sketches(shapes: Sequence[Shape], width: int, height: int) -> list[Sketch]:
    """Return the shapes of a frame that is seen in a size."""
    return [_sketch(shape, width, height) for shape in shapes]


def legend(shapes: Sequence[Shape]) -> list[Entry]:
    """Return the classes on a frame, the most frequent first."""
    counted = Counter((_name(shape), shape.kind) for shape in shapes)
    return [Entry(colour(label), label, kind, count) for (label, kind), count in counted.most_common()]


def _sketch(shape: Shape, width: int, height: int) -> Sketch:
    def place(point: Point) -> Point:
        return round(point[0] * width, 2), round(point[1] * height, 2)

    paths = [Path(" ".join(f"{x},{y}" for x, y in map(place, each.points)), each.closed) for each in shape.outlines]
    placed = [place(point) for point in shape.points()]
    letter = text_size(width, height)
    x = min(max(min(x for x, _ in placed), 0.0), max(0.0, width - letter))
    top = min(y for _, y in placed)
    y = top - letter / 3 if top > letter * 1.4 else max(top, 0.0) + letter * 1.1
    y = min(y, max(height, letter * 1.1))
    told = ", ".join((f"{_name(shape)} ({shape.kind})", *shape.notes))
    return Sketch(colour(_name(shape)), _name(shape), paths, [*map(place, shape.dots)], round(x, 2), round(y, 2), told)


def _name(shape: Shape) -> str:
    return shape.label or shape.kind
