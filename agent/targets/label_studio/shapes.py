"""A task with its annotations to shapes. Pure.

Source: "Label Studio JSON format of annotated tasks" and the pages of its tags (labelstud.io): coordinates are in
percent of the picture; a box is given by its upper left corner and turned around that one, an ellipse by its middle.
What belongs together has one `id`: with tags apart (`Rectangle` and `Labels`) each gives a part of its own.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from agent.model.shapes import Drawing, Outline, Point, Shape, label, number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SAYS: Final = ("choices", "taxonomy", "text", "rating", "number", "datetime")
_ROUND: Final = 48
"""The corners of what stands for an ellipse."""
_MOST_WORDS: Final = 20


class _Region(NamedTuple):
    """Parts of one id that were made by the same person, with the tag of the first that has a place."""

    position: int | None
    kind: str
    value: dict[str, object]
    size: tuple[float, float]
    is_turned: bool
    labels: list[str]
    notes: list[str]


def read(document: object, frames: Sequence[str]) -> Drawing:
    """Return what is to be drawn; `frames` are the job's frame_ids, in order."""
    drawing = Drawing()
    positions = {frame_id: position for position, frame_id in enumerate(frames)}
    made = document.get("annotations") if isinstance(document, dict) else None
    given = [each for each in made if _is_given(each)] if isinstance(made, list) else []
    for count, annotation in enumerate(given, 1):
        who = (f"annotation {count} of {len(given)}",) if len(given) > 1 else ()
        for region in _regions(annotation["result"], positions, drawing):
            _draw(region, who, drawing)
    return drawing


def _is_given(annotation: object) -> bool:
    if not isinstance(annotation, dict) or annotation.get("was_cancelled"):
        return False
    return isinstance(annotation.get("result"), list)


def _regions(result: list[object], positions: dict[str, int], drawing: Drawing) -> Iterator[_Region]:
    """Yield what was made, its parts put together."""
    found: dict[object, _Region] = {}
    for number_of_part, part in enumerate(result):
        value = part.get("value") if isinstance(part, dict) else None
        if isinstance(value, tuple):
            value = {"x": value[0], "y": value[1]}
        if not isinstance(part, dict) or not isinstance(value, dict):
            if isinstance(part, dict) and part.get("type") == "relation":
                drawing.undrawn["a relation between two others"] += 1
            continue
        kind = str(part.get("type", ""))
        name = part.get("id") if isinstance(part.get("id"), str) else number_of_part
        region = found.get(name) or _region(part, value, kind, positions)
        if not _has_place(region.value) and _has_place(value):
            region = region._replace(value=value, kind=kind)
        region.labels.extend(_labels(kind, value))
        region.notes.extend(_sayings(kind, value))
        found[name] = region
    yield from found.values()


def _region(part: dict[str, object], value: dict[str, object], kind: str, positions: dict[str, int]) -> _Region:
    size = tuple(number(part.get(side)) or 1.0 for side in ("original_width", "original_height"))
    turned = number(part.get("image_rotation")) or 0.0
    return _Region(_position(part, positions), kind, value, (size[0], size[1]), turned % 360 != 0, [], [])


def _position(part: dict[str, object], positions: dict[str, int]) -> int | None:
    """Return the frame that something is on; None where it is of the whole job."""
    index = part.get("item_index")
    if isinstance(index, int) and not isinstance(index, bool) and 0 <= index < len(positions):
        return index
    frame_id = part.get("frame_id")
    if isinstance(frame_id, str) and frame_id in positions:
        return positions[frame_id]
    return 0 if len(positions) == 1 else None


def _has_place(value: dict[str, object]) -> bool:
    return any(key in value for key in ("x", "points", "vertices", "rle"))


def _labels(kind: str, value: dict[str, object]) -> list[str]:
    given = value.get(kind) if kind.endswith("labels") else None
    return [label(each) for each in given[:_MOST_WORDS]] if isinstance(given, list) else []


def _sayings(kind: str, value: dict[str, object]) -> list[str]:
    """Return what a part says in words: choices, a text, a number of stars."""
    said = []
    for key in _SAYS:
        given = value.get(key)
        if isinstance(given, list):
            said += [label(" / ".join(map(str, each)) if isinstance(each, list) else each) for each in given]
        elif isinstance(given, str | int | float):
            said.append(label(given if key == "text" else f"{key}: {given}"))
    return said[:_MOST_WORDS] if not kind.endswith("labels") else []


def _draw(region: _Region, who: tuple[str, ...], drawing: Drawing) -> None:
    if not _has_place(region.value):
        for text in region.notes:
            drawing.say(region.position, text)
    elif region.position is None:
        drawing.undrawn["it is not said on which frame"] += 1
    elif region.is_turned:
        drawing.undrawn["it was drawn while its picture was turned in the page"] += 1
    elif (made := _made(region)) is None:
        drawing.undrawn[f"{label(region.kind or 'it')}: see it in the page where it was made"] += 1
    else:
        kind, outlines, dots = made
        notes = (*region.notes, *who)
        drawing.draw(region.position, Shape(kind, ", ".join(dict.fromkeys(region.labels)), outlines, dots, notes))


def _made(region: _Region) -> tuple[str, tuple[Outline, ...], tuple[Point, ...]] | None:
    """Return what a region looks like, None for what is not drawn (masks)."""
    value = region.value
    if "rle" in value:
        return None
    if "radiusX" in value:
        return "ellipse", (Outline(_ellipse(value, region.size), closed=True),), ()
    if "width" in value and "height" in value and "x" in value:
        return "box", (Outline(_box(value, region.size), closed=True),), ()
    if isinstance(given := value.get("points", value.get("vertices")), list):
        points = tuple(point for each in given if (point := _point(each)))
        is_line = "vertices" in value and not value.get("closed")
        return "line" if is_line else "polygon", (Outline(points, closed=not is_line),), ()
    point = _point(value)
    return ("point", (), (point,)) if point else None


def _point(each: object) -> Point | None:
    """Return a point that is given in percent, as a pair or by name."""
    x = y = None
    if isinstance(each, dict):
        x, y = each.get("x"), each.get("y")
    elif isinstance(each, list | tuple) and len(each) == 2:
        x, y = each
    across, down = number(x), number(y)
    return None if across is None or down is None else (across / 100, down / 100)


def _box(value: dict[str, object], size: tuple[float, float]) -> tuple[Point, ...]:
    """Return the corners of a box, turned around its upper left one."""
    x, y, width, height, angle = _numbers(value, "x", "y", "width", "height", "rotation")
    corners = ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height))
    return tuple(_turned((x, y), corner, angle, size) for corner in corners)


def _ellipse(value: dict[str, object], size: tuple[float, float]) -> tuple[Point, ...]:
    x, y, across, down, angle = _numbers(value, "x", "y", "radiusX", "radiusY", "rotation")
    steps = (2 * math.pi * step / _ROUND for step in range(_ROUND))
    return tuple(_turned((x, y), (across * math.cos(at), down * math.sin(at)), angle, size) for at in steps)


def _turned(pivot: Point, away: Point, angle: float, size: tuple[float, float]) -> Point:
    """Return where a point is that lies so far away from a pivot, all in percent, turned clockwise by degrees.

    A turn leaves lengths as they are in pixels, not in percent of sides that differ.
    """
    turn = math.radians(angle)
    x, y = away[0] * size[0], away[1] * size[1]
    across = (x * math.cos(turn) - y * math.sin(turn)) / size[0]
    down = (x * math.sin(turn) + y * math.cos(turn)) / size[1]
    return (pivot[0] + across) / 100, (pivot[1] + down) / 100


def _numbers(value: dict[str, object], *keys: str) -> list[float]:
    return [number(value.get(key)) or 0.0 for key in keys]
