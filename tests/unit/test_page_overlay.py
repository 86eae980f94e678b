"""Shapes as SVG has them."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from agent.model.shapes import Outline, Shape
from agent.page import overlay

BOX = Shape("box", "Car", (Outline(((0.25, 0.25), (0.5, 0.25), (0.5, 0.75), (0.25, 0.75)), closed=True),))
PARTS = st.floats(-1.9, 2.9)
POINTS = st.lists(st.tuples(PARTS, PARTS), min_size=1, max_size=5).map(tuple)


def test_a_shape_is_drawn_in_pixels_of_the_picture() -> None:
    [sketch] = overlay.sketches([BOX], 400, 200)
    assert sketch.paths == [("100.0,50.0 200.0,50.0 200.0,150.0 100.0,150.0", True)]
    assert (sketch.x, sketch.label, sketch.told) == (100.0, "Car", "Car (box)")
    assert 40 < sketch.y < 50


def test_what_has_no_label_is_called_what_it_is() -> None:
    points = Shape("points", "", (), ((0.5, 0.5),), ("occluded: yes",))
    [sketch] = overlay.sketches([points], 100, 100)
    assert (sketch.label, sketch.dots, sketch.told) == ("points", [(50.0, 50.0)], "points (points), occluded: yes")


def test_classes_are_counted_with_their_colours() -> None:
    found = overlay.legend([BOX, BOX, Shape("line", "Car"), Shape("line", "lane")])
    assert [(each.label, each.kind, each.times) for each in found] == [
        ("Car", "box", 2),
        ("Car", "line", 1),
        ("lane", "line", 1),
    ]
    assert found[0].colour == found[1].colour != found[2].colour


@example(points=((0.0, 0.5625),), width=45, height=2)
@example(points=((0.0, 7.0),), width=100, height=100)
@given(points=POINTS, width=st.integers(1, 20_000), height=st.integers(1, 20_000))
def test_a_label_stands_on_the_picture(points: tuple[tuple[float, float], ...], width: int, height: int) -> None:
    [sketch] = overlay.sketches([Shape("polygon", "a", (Outline(points, closed=True),))], width, height)
    assert 0 <= sketch.x <= width
    assert 0 < sketch.y <= max(height, 2 * overlay.text_size(width, height))
