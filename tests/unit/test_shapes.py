"""Result files become shapes: as the vendors' pages say, and whatever is in them."""

from __future__ import annotations

import json
import math
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.annotations import colour, parsed
from agent.model.shapes import LABEL_CHARACTERS, MOST_ON_A_FRAME, MOST_SAID, Drawing
from agent.targets.label_studio import shapes as label_studio
from agent.targets.playment import shapes as playment

if TYPE_CHECKING:
    from agent.model.shapes import ReadShapes

READERS = [pytest.param(playment.read, id="playment"), pytest.param(label_studio.read, id="label-studio")]
FRAMES = ["f1.jpg", "f2.jpg", "f3.jpg"]
SQUARE = [{"x": 0.25, "y": 0.25}, {"x": 0.5, "y": 0.25}, {"x": 0.5, "y": 0.75}, {"x": 0.25, "y": 0.75}]
CORNERS = ((0.25, 0.25), (0.5, 0.25), (0.5, 0.75), (0.25, 0.75))


def drawn(read: ReadShapes, document: object, frames: list[str] | None = None) -> Drawing:
    return read(parsed(json.dumps(document).encode()), ["f1.jpg"] if frames is None else frames)


def rounded(points: tuple[tuple[float, float], ...]) -> list[tuple[float, float]]:
    return [(round(x, 6), round(y, 6)) for x, y in points]


# ---------------------------------------------------------------- Playment


def test_a_box_of_an_image() -> None:
    box = {"_id": "a", "label": "Cat", "coordinates": SQUARE, "attributes": {"pose": {"value": "standing"}}}
    for document in (
        {"data": {"rectangles": [box]}},
        {"data": {"annotations": {"rectangles": [box], "polygons": []}}},
        {"annotations": [{**box, "type": "rectangle"}]},
    ):
        [shape] = drawn(playment.read, document).shapes[0]
        assert (shape.kind, shape.label, shape.notes) == ("box", "Cat", ("pose: standing",))
        assert [each.points for each in shape.outlines] == [CORNERS]
        assert shape.outlines[0].closed


def test_a_tracker_is_on_the_frames_that_it_names() -> None:
    box = {"_id": "b", "coordinates": SQUARE}
    tracker = {"_id": "t", "type": "rectangle", "label": "bicycle", "frames": {"f3.jpg": box, "f1.jpg": box, "x": box}}
    video = {"frames": [{"frame_id": name, "src": "https://x/"} for name in FRAMES]}
    document = {"data": {"annotation_data": {"annotations": [tracker]}, "video_data": video}}
    found = drawn(playment.read, document, FRAMES)
    assert {position: [shape.label for shape in each] for position, each in found.shapes.items()} == {
        2: ["bicycle"],
        0: ["bicycle"],
    }
    assert dict(found.undrawn) == {"it is on a frame that the job does not have": 1}
    nested = {"data": {}, "maker_response": {"video2d": {"data": {"annotations": [tracker]}}}}
    assert drawn(playment.read, nested, FRAMES).shapes == found.shapes


def test_a_polygon_a_line_and_points() -> None:
    points = {"p1": {"x": 0.1, "y": 0.1}, "p2": {"x": 0.2, "y": 0.1}, "p3": {"x": 0.2, "y": 0.2}}
    edges = {"e1": ["p1", "p2"], "e2": ["p2", "p3"]}
    ring = {**edges, "e3": ["p3", "p1"]}
    document = {
        "data": {
            "annotations": {
                "polygons": [{"label": "mask", "points": points, "edges": ring}, {"label": "bare", "points": points}],
                "lines": [{"label": "lane", "points": points, "edges": edges}, {"label": "free", "points": points}],
                "landmarks": [{"_id": "n", "label": "nose", "points": {"p1": {"x": 0.17, "y": 0.58, "label": 1}}}],
            }
        }
    }
    mask, bare, lane, free, nose = drawn(playment.read, document).shapes[0]
    three = ((0.1, 0.1), (0.2, 0.1), (0.2, 0.2))
    assert [(each.kind, each.outlines[0]) for each in (mask, bare)] == [("polygon", (three, True))] * 2
    assert [(each.kind, each.outlines[0]) for each in (lane, free)] == [("line", (three, False))] * 2
    assert (nose.kind, nose.outlines, nose.dots) == ("points", (), ((0.17, 0.58),))


def test_edges_that_do_not_follow_each_other_are_lines_of_their_own() -> None:
    points = {f"p{at}": {"x": at / 10, "y": 0.5} for at in range(1, 5)}
    edges = {"e1": ["p1", "p2"], "e2": ["p4", "p4"], "e3": ["p3", "p4"], "e4": ["p9", "p1"], "e5": "no", "e6": [[], {}]}
    [shape] = drawn(playment.read, {"lines": [{"label": "l", "points": points, "edges": edges}]}).shapes[0]
    assert shape.outlines == ((((0.1, 0.5), (0.2, 0.5)), False), (((0.3, 0.5), (0.4, 0.5)), False))


def test_a_cuboid_has_two_faces_and_what_joins_them() -> None:
    corners = [{"x": x, "y": y} for x, y in [*CORNERS, *((x + 0.1, y) for x, y in CORNERS)]]
    [shape] = drawn(playment.read, {"data": {"cuboids": [{"label": "Car", "coordinates": corners}]}}).shapes[0]
    assert [each.closed for each in shape.outlines] == [True, True, False, False, False, False]
    assert shape.outlines[2].points == ((0.25, 0.25), (0.35, 0.25))


def test_what_has_no_place_is_told() -> None:
    document = {"data": {"annotations": [{"_id": "m", "type": "raster", "label": "road", "image": "https://x/"}]}}
    found = drawn(playment.read, document)
    assert dict(found.undrawn) == {"raster: it is no box, polygon, line, cuboid or point": 1}
    assert dict(drawn(playment.read, {"rectangles": [{"label": "a", "coordinates": SQUARE}]}, FRAMES).undrawn) == {
        "box: it is not said on which frame": 1
    }


def test_the_sandboxes_empty_result_draws_nothing() -> None:
    found = drawn(playment.read, {"reference_id": "a~1", "job_id": "j", "annotations": []})
    assert (found.shapes, found.said, dict(found.undrawn)) == ({}, {}, {})


# ---------------------------------------------------------------- Label Studio


def task(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"id": 1, "data": {"image": "http://x/"}, "annotations": [{"result": list(parts), "was_cancelled": False}]}


def region(kind: str, **value: object) -> dict[str, Any]:
    return {"id": "r", "type": kind, "original_width": 200, "original_height": 100, "value": value}


def test_a_box_in_percent() -> None:
    part = region("rectanglelabels", x=25, y=25, width=25, height=50, rotation=0, rectanglelabels=["Cat", "Dog"])
    [shape] = drawn(label_studio.read, task(part)).shapes[0]
    assert (shape.kind, shape.label, rounded(shape.outlines[0].points)) == ("box", "Cat, Dog", list(CORNERS))


def test_a_box_is_turned_around_its_upper_left_corner_in_pixels() -> None:
    part = region("rectanglelabels", x=50, y=50, width=20, height=20, rotation=90, rectanglelabels=["Cat"])
    [shape] = drawn(label_studio.read, task(part)).shapes[0]
    # 40 x 20 pixels to the right and below (100, 50) are 20 x 40 to the left of it and below.
    assert rounded(shape.outlines[0].points) == [(0.5, 0.5), (0.5, 0.9), (0.4, 0.9), (0.4, 0.5)]


def test_the_other_kinds() -> None:
    ring = [[10, 10], [20, 10], [20, 20]]
    parts = [
        {**region("polygonlabels", points=ring, closed=True, polygonlabels=["a"]), "id": "1"},
        {**region("keypointlabels", x=30, y=40, width=0.5, keypointlabels=["b"]), "id": "2"},
        {**region("ellipselabels", x=50, y=50, radiusX=10, radiusY=20, rotation=0, ellipselabels=["c"]), "id": "3"},
        {**region("vectorlabels", vertices=[{"x": 1, "y": 2}, {"x": 3, "y": 4}], vectorlabels=["d"]), "id": "4"},
        {**region("brushlabels", format="rle", rle=[1, 2, 3], brushlabels=["e"]), "id": "5"},
        {"type": "relation", "from_id": "1", "to_id": "2", "direction": "right"},
    ]
    found = drawn(label_studio.read, task(*parts))
    polygon, point, ellipse, line = found.shapes[0]
    assert (polygon.label, polygon.outlines) == ("a", ((((0.1, 0.1), (0.2, 0.1), (0.2, 0.2)), True),))
    assert (point.label, point.kind, point.dots) == ("b", "point", ((0.3, 0.4),))
    assert (ellipse.label, len(ellipse.outlines[0].points)) == ("c", 48)
    xs, ys = zip(*ellipse.outlines[0].points, strict=True)
    assert [round(each, 3) for each in (min(xs), max(xs), min(ys), max(ys))] == [0.4, 0.6, 0.3, 0.7]
    assert (line.label, line.outlines) == ("d", ((((0.01, 0.02), (0.03, 0.04)), False),))
    assert dict(found.undrawn) == {
        "brushlabels: see it in the page where it was made": 1,
        "a relation between two others": 1,
    }


def test_parts_of_one_id_are_one_thing() -> None:
    place = {"x": 25, "y": 25, "width": 25, "height": 50, "rotation": 0}
    parts = [
        region("rectangle", **place),
        region("labels", **place, labels=["Car"]),
        region("choices", **place, choices=["parked"]),
        region("textarea", **place, text=["AB 123"]),
    ]
    [shape] = drawn(label_studio.read, task(*parts)).shapes[0]
    assert (shape.kind, shape.label, shape.notes) == ("box", "Car", ("parked", "AB 123"))


def test_words_are_of_a_frame_or_of_all() -> None:
    words = {"from_name": "w", "type": "choices"}
    found = drawn(
        label_studio.read,
        task(
            {**words, "id": "a", "value": {"choices": ["rain"]}, "item_index": 1},
            {**words, "id": "b", "value": {"choices": ["night"]}, "frame_id": "f3.jpg"},
            {**words, "id": "c", "value": {"taxonomy": [["road", "urban"]]}},
            {**words, "id": "d", "value": {"rating": 4}},
        ),
        FRAMES,
    )
    assert found.said == {1: ["rain"], 2: ["night"], None: ["road / urban", "rating: 4"]}


def test_a_region_is_on_the_page_that_it_says() -> None:
    place = {"x": 25, "y": 25, "width": 25, "height": 50, "rotation": 0, "rectanglelabels": ["Car"]}
    parts = [
        {**region("rectanglelabels", **place), "id": "a", "item_index": 2, "frame_id": "f1.jpg"},
        {**region("rectanglelabels", **place), "id": "b", "frame_id": "f2.jpg"},
        {**region("rectanglelabels", **place), "id": "c", "item_index": 3},
        {**region("rectanglelabels", **place), "id": "d", "item_index": True},
    ]
    found = drawn(label_studio.read, task(*parts), FRAMES)
    assert {position: len(each) for position, each in found.shapes.items()} == {2: 1, 1: 1}
    assert dict(found.undrawn) == {"it is not said on which frame": 2}


def test_what_was_put_aside_is_not_drawn_and_two_people_are_told_apart() -> None:
    part = region("rectanglelabels", x=1, y=1, width=5, height=5, rectanglelabels=["Cat"])
    document = task(part)
    document["annotations"] += [{"result": [part], "was_cancelled": True}, {"result": [part]}]
    assert [shape.notes for shape in drawn(label_studio.read, document).shapes[0]] == [
        ("annotation 1 of 2",),
        ("annotation 2 of 2",),
    ]


def test_what_was_drawn_on_a_turned_picture_is_told() -> None:
    part = {**region("rectanglelabels", x=1, y=1, width=5, height=5, rectanglelabels=["Cat"]), "image_rotation": 90}
    found = drawn(label_studio.read, task(part))
    assert not found.shapes
    assert dict(found.undrawn) == {"it was drawn while its picture was turned in the page": 1}


# ---------------------------------------------------------------- whatever comes

NAMES = st.sampled_from(
    ["data", "annotations", "result", "value", "frames", "coordinates", "points", "edges", "label", "type", "_id",
     "attributes", "x", "y", "width", "height", "rotation", "rectangles", "polygons", "rectanglelabels", "vertices",
     "radiusX", "radiusY", "item_index", "frame_id", "id", "choices", "f1.jpg", "original_width", "image_rotation"]
)  # fmt: skip
WORDS = st.sampled_from(["rectangle", "rectanglelabels", "choices", "relation", "f1.jpg", "<b>", "\udc80\x1b", ""])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=30,
)
RESULT = st.fixed_dictionaries(
    {"annotations": st.lists(st.fixed_dictionaries({"result": st.lists(JSON, max_size=4)}) | JSON, max_size=3)}
)


@pytest.mark.parametrize("read", READERS)
@given(document=JSON | RESULT)
def test_whatever_a_result_holds_it_is_drawn_within_the_frames_or_not_at_all(
    read: ReadShapes, document: object
) -> None:
    found = drawn(read, document, FRAMES)
    assert set(found.shapes) <= {0, 1, 2}
    assert set(found.said) <= {0, 1, 2, None}
    for shape in (shape for each in found.shapes.values() for shape in each):
        assert all(math.isfinite(side) for point in shape.points() for side in point)
        assert all(len(text) <= 25 * LABEL_CHARACTERS and text.isprintable() for text in (shape.label, shape.kind))


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff", b'{"x": NaN}', b"9" * 5000])
def test_what_is_no_document_is_told(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"^is n"):
        parsed(content)


@pytest.mark.parametrize("read", READERS)
def test_more_than_can_be_told_apart_is_counted(read: ReadShapes) -> None:
    many = MOST_ON_A_FRAME + 7
    box = {"label": "a", "coordinates": SQUARE}
    part = region("rectanglelabels", x=1, y=1, width=5, height=5, rectanglelabels=["Cat"])
    parts = ({**part, "id": str(number)} for number in range(many))
    document = (
        {"rectangles": [box] * many, **task(*parts)} if read is label_studio.read else {"rectangles": [box] * many}
    )
    found = drawn(read, document)
    assert len(found.shapes[0]) == MOST_ON_A_FRAME
    assert dict(found.undrawn) == {f"more than {MOST_ON_A_FRAME:,} on one frame: see the file itself": 7}
    drawing = Drawing()
    for _ in range(MOST_SAID + 3):
        drawing.say(None, "x")
    assert (len(drawing.said[None]), sum(drawing.undrawn.values())) == (MOST_SAID, 3)


def test_a_long_sequence_takes_little_memory() -> None:
    names = [f"f{number}.jpg" for number in range(1000)]
    box = {"_id": "a", "attributes": {"v": {"state": "editable", "value": "3"}}, "coordinates": SQUARE}
    tracker = {"type": "rectangle", "label": "car", "frames": dict.fromkeys(names, box)}
    content = json.dumps({"data": {"annotation_data": {"annotations": [tracker] * 10}}}).encode()
    tracemalloc.start()
    found = playment.read(parsed(content), names)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(map(len, found.shapes.values())) == 10_000
    assert most < 10 * len(content)


def test_a_class_has_one_colour() -> None:
    assert colour("Car") == colour("car") != colour("bus")
    assert colour("\udc80").startswith("hsl(")
