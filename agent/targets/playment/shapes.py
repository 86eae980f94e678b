"""A result file to shapes. Pure.

Source: "Get job results" for images and for videos (annotationdocs.telusinternational.com, docs.playment.io) and the
"landmark" page (playment.readme.io): coordinates are parts of the picture's width and height. An image's result has
lists by kind (`rectangles`, `polygons`, `lines`, `cuboids`, `landmarks`), in `data` or in `data.annotations`; a video's
has trackers, which hold an annotation for each `frame_id`. The pages differ in what stands around these, and a project
may ask for a form of its own: so they are looked for wherever they stand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from agent.model.shapes import Drawing, Outline, Point, Shape, label, number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_KINDS: Final = {
    "rectangle": "box", "rectangles": "box", "polygon": "polygon", "polygons": "polygon", "line": "line",
    "lines": "line", "polyline": "line", "polylines": "line", "cuboid": "cuboid", "cuboids": "cuboid",
    "landmark": "points", "landmarks": "points", "point": "points", "points": "points", "keypoint": "points",
    "keypoints": "points",
}  # fmt: skip
_MOST_NOTES: Final = 8
_MOST_LOOKED_AT: Final = 5_000_000
_CORNERS: Final = 8


class _Place(NamedTuple):
    """Something of a document: on which frame it is, if that is known, and what is known of it from above."""

    found: object
    position: int | None
    kind: str
    label: str


def read(document: object, frames: Sequence[str]) -> Drawing:
    """Return what is to be drawn; `frames` are the job's frame_ids, in order."""
    drawing = Drawing()
    positions = {frame_id: position for position, frame_id in enumerate(frames)}
    only = 0 if len(frames) == 1 else None
    left = [_Place(document, only, "", "")]
    looked_at = 0
    while left and looked_at < _MOST_LOOKED_AT:
        looked_at += 1
        place = left.pop()
        if isinstance(place.found, list):
            left += [place._replace(found=each) for each in reversed(place.found)]
        elif isinstance(place.found, dict):
            left += reversed([*_within(place.found, place, positions, drawing)])
    return drawing


def _within(found: dict[str, object], place: _Place, positions: dict[str, int], drawing: Drawing) -> Iterator[_Place]:
    """Draw an annotation; yield what is to be looked at in anything else."""
    kind = _KINDS.get(str(found.get("type", "")).lower(), "") or place.kind
    name = label(found["label"]) if isinstance(found.get("label"), str) else place.label
    frames = found.get("frames")
    if isinstance(frames, dict):
        for frame_id, each in frames.items():
            if frame_id in positions:
                yield _Place(each, positions[frame_id], kind, name)
            else:
                drawing.undrawn["it is on a frame that the job does not have"] += 1
    elif "coordinates" in found or "points" in found:
        if place.position is None:
            drawing.undrawn[f"{kind or 'it'}: it is not said on which frame"] += 1
        else:
            drawing.draw(place.position, _shape(found, kind, name))
    elif "_id" in found and "label" in found:
        drawing.undrawn[
            f"{label(found.get('type') or kind or 'it')}: it is no box, polygon, line, cuboid or point"
        ] += 1
    else:
        for key, value in found.items():
            if isinstance(value, dict | list):
                yield _Place(value, place.position, _KINDS.get(key, kind), name)


def _shape(found: dict[str, object], kind: str, name: str) -> Shape:
    given = found.get("coordinates", found.get("points"))
    named = dict(enumerate(given)) if isinstance(given, list) else given if isinstance(given, dict) else {}
    points = {str(key): point for key, each in named.items() if (point := _point(each))}
    ordered = tuple(points.values())
    chains = _chains(found.get("edges"), points)
    kind = kind or ("box" if "coordinates" in found else "points")
    outlines: tuple[Outline, ...]
    dots: tuple[Point, ...] = ()
    if kind in ("box", "polygon"):
        rings = chains if chains and all(chain.closed for chain in chains) else ()
        outlines = rings or (Outline(_corners(ordered) if kind == "box" else ordered, closed=True),)
    elif kind == "cuboid":
        outlines = chains or _faces(ordered)
    elif kind == "line":
        outlines = chains or (Outline(ordered, closed=False),)
    else:
        outlines, dots = chains, ordered
    return Shape(kind, name, tuple(each for each in outlines if each.points), dots, _notes(found.get("attributes")))


def _point(each: object) -> Point | None:
    x, y = (
        each if isinstance(each, tuple) else (each.get("x"), each.get("y")) if isinstance(each, dict) else (None, None)
    )
    across, down = number(x), number(y)
    return None if across is None or down is None else (across, down)


def _corners(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """Return a box's four corners, also where only two that are opposite are given."""
    if len(points) != 2:
        return points
    (left, top), (right, bottom) = points
    return (left, top), (right, top), (right, bottom), (left, bottom)


def _faces(points: tuple[Point, ...]) -> tuple[Outline, ...]:
    """Return a cuboid's front, its back, and what joins them."""
    if len(points) != _CORNERS:
        return (Outline(points, closed=True),)
    front, back = points[:4], points[4:]
    sides = (Outline(pair, closed=False) for pair in zip(front, back, strict=True))
    return Outline(front, closed=True), Outline(back, closed=True), *sides


def _chains(edges: object, points: dict[str, Point]) -> tuple[Outline, ...]:
    """Return the lines that edges make, each as long as one edge begins where the one before has ended."""
    chains: list[list[str]] = []
    for edge in edges.values() if isinstance(edges, dict) else ():
        if not isinstance(edge, list) or len(edge) != 2:
            continue
        first, last = (str(name) for name in edge)
        if first in points and last in points and first != last:
            if chains and chains[-1][-1] == first and not _is_closed(chains[-1]):
                chains[-1].append(last)
            else:
                chains.append([first, last])
    return tuple(
        Outline(tuple(points[name] for name in (chain[:-1] if _is_closed(chain) else chain)), _is_closed(chain))
        for chain in chains
    )


def _is_closed(chain: list[str]) -> bool:
    return len(chain) > 3 and chain[0] == chain[-1]


def _notes(attributes: object) -> tuple[str, ...]:
    """Return what attributes say: each has a value, or several."""
    notes = []
    for name, each in list(attributes.items())[:_MOST_NOTES] if isinstance(attributes, dict) else ():
        value = each.get("value") if isinstance(each, dict) else each
        if isinstance(value, list):
            value = ", ".join(map(str, value[:_MOST_NOTES]))
        if isinstance(value, str | int | float):
            notes.append(label(f"{name}: {value}"))
    return tuple(notes)
