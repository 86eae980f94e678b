"""What is said of frames that are not seen as of one size, or not turned alike."""

from __future__ import annotations

import io
import itertools
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from agent.core.seen_sizes import Pixels, SeenSizes, seen

SIDES = st.sampled_from([(4, 3), (3, 4), (3, 3), (5, 4)])
TURNED = "the frames are not all turned alike to be seen (EXIF orientation): "
FRAMES = st.lists(st.tuples(SIDES, st.integers(1, 8)), max_size=12)


def told(*frames: tuple[Pixels | None, int]) -> list[str]:
    sizes = SeenSizes()
    for pixels, orientation in frames:
        sizes.see(pixels, orientation)
    return list(sizes.warnings())


def test_one_size_is_nothing_to_warn_of() -> None:
    assert told() == []
    assert told(*[((4, 3), 1)] * 2) == []
    assert told(((4, 3), 1), (None, 1), (None, 6)) == []


def test_frames_of_several_sizes() -> None:
    assert told(((3, 4), 1), *[((4, 3), 1)] * 3) == ["the frames are not all of one size in pixels: 3 of 4x3, 1 of 3x4"]
    assert told(*(((n, n), 1) for n in (9, 8, 7, 6, 5))) == [
        "the frames are not all of one size in pixels: 1 of 5x5, 1 of 6x6, 1 of 7x7 and 2 more sizes"
    ]


def test_frames_that_are_turned_differently() -> None:
    assert told(*(((160, 120), orientation) for orientation in (1, 1, 6, 6, 8, 3))) == [
        "the frames are not all of one size in pixels: 3 of 120x160, 3 of 160x120",
        f"{TURNED}2 not turned (1), 2 a quarter to the right (6), 1 upside down (3), 1 a quarter to the left (8)",
    ]
    assert told(((160, 120), 3), ((160, 120), 1), ((160, 120), 3)) == [f"{TURNED}2 upside down (3), 1 not turned (1)"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_that_are_turned_alike_need_no_word(orientation: int) -> None:
    assert told(*[((160, 120), orientation)] * 3) == []


def test_two_that_are_seen_alike_need_no_word() -> None:
    assert told(((160, 120), 6), ((120, 160), 1)) == []
    assert told(((160, 120), 8), ((120, 160), 3)) == []
    assert len(told(((160, 120), 6), ((120, 160), 1), ((120, 160), 3))) == 1, "one of them is seen upside down"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_that_which_others_see(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = io.BytesIO()
    Image.new("RGB", (16, 8)).save(stored, "JPEG", exif=exif)
    with Image.open(stored) as picture:
        assert seen((16, 8), orientation) == ImageOps.exif_transpose(picture).size


def test_where_a_point_of_a_picture_turned_by_6_is_stored_is_as_the_readme_says() -> None:
    """The stored x is the seen y, the stored y is the height less the seen x: here of the middles of pixels."""
    width, height = 5, 3
    stored = Image.new("L", (width, height))
    stored.putdata(range(width * height))
    stored.getexif()[0x0112] = 6
    shown = ImageOps.exif_transpose(stored)
    assert shown.size == (height, width)
    for x, y in itertools.product(range(shown.width), range(shown.height)):
        assert shown.getpixel((x, y)) == stored.getpixel((y, math.floor(height - (x + 0.5))))


@given(FRAMES)
def test_sizes_are_told_where_they_are_seen_to_differ_and_nowhere_else(frames: list[tuple[Pixels, int]]) -> None:
    sizes = Counter(seen(*frame) for frame in frames)
    assert any("one size" in text for text in told(*frames)) == (len(sizes) > 1)


@given(FRAMES)
def test_turns_are_told_where_two_frames_are_not_just_stored_in_another_way(frames: list[tuple[Pixels, int]]) -> None:
    differ = any(
        one != other and (stored == others or seen(stored, one) != seen(others, other))
        for stored, one in frames
        for others, other in frames
    )
    (text,) = [text for text in told(*frames) if "turned alike" in text] or [""]
    assert bool(text) == differ
    for orientation, count in Counter(orientation for _, orientation in frames).items():
        assert not text or f"({orientation})" in text, count


@given(FRAMES)
def test_what_is_told_is_the_same_in_every_order(frames: list[tuple[Pixels, int]]) -> None:
    assert told(*frames) == told(*reversed(frames))


def test_equal_sizes_are_kept_once() -> None:
    sizes = SeenSizes()
    one, other = (sizes.see((width, width), 1) for width in (4_000, int("4000")))
    assert one == (4_000, 4_000)
    assert one is other
