"""The order of a sequence that was read: by the time, by bytes, as its folder says; and a digest that never changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.reference_id import IdRules
from tests.reading import at, names_of, one_by_one, read

if TYPE_CHECKING:
    from agent.model import Taken

SENT_BY_0_1_0 = {
    "counter": (
        "counter~2e66c9e73b6c",
        [f"frame_{number}.jpg" for number in range(1, 13)],
    ),
    "fractions": (
        "fractions~70eb39823021",
        [f"170000000{text}.jpg" for text in ("0.0", "0.025", "0.05", "0.1", "0.125", "1.0")],
    ),
    "javascript": (
        "javascript~aec455149791",
        ["1700000000.jpg", "1700000000.25.jpg", "1700000000.5.jpg", "1700000001.jpg"],
    ),
    "stems": (
        "stems~b8cac822f0a3",
        ["f.jpg", "f (1).jpg", "f (2).jpg", "f (10).jpg"],
    ),
    "one second": (
        "one second~885c05a36033",
        ["20240101_120000.jpg", "20240101_120000(0).jpg", "20240101_120001.jpg"],
    ),
    "cases": (
        "cases~f13e7dddc1e9",
        ["IMG_1.JPG", "img_2.jpg", "IMG_3.jpg", "img_10.JPG"],
    ),
    "signs": (
        "signs~a11bbf85db1a",
        [f"t{number}.jpg" for number in range(-2, 3)],
    ),
    "hexadecimal": (
        "hexadecimal~5a161cb036f2",
        [f"{number:x}.png" for number in range(8, 20)],
    ),
    "two cameras": (
        "two cameras~52b214bcd646",
        ["left_1.jpg", "left_2.jpg", "right_1.jpg", "right_2.jpg"],
    ),
    "umlauts": (
        "umlauts~8fc28f183c17",
        ["\u00e4_1.jpg", "\u00e4_2.jpg", "\u00e4_10.jpg"],
    ),
}
"""Reference ids that version 0.1.0 (commit 8f1a0da) made, of frames in the order in which they were taken.

The bytes of each are its name. In most of them that version had another order.
"""


@pytest.mark.parametrize("order", ["natural", "time", "bytes"])
@pytest.mark.parametrize("path", SENT_BY_0_1_0)
def test_the_ids_are_those_of_0_1_0_whatever_the_order(path: str, order: str) -> None:
    reference_id, names = SENT_BY_0_1_0[path]
    unit = read(names, taken=one_by_one(names), order=order)
    assert unit.digest is not None
    assert IdRules("{path}~{digest}", "host").reference_ids(path, unit.digest) == (reference_id,)
    if order != "bytes":
        assert names_of(unit) == names


NAMES = ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]


@given(st.permutations(NAMES))
def test_the_times_decide_where_that_is_asked_for(names: list[str]) -> None:
    unit = read(names, taken=one_by_one(names), order="time")
    assert (names_of(unit), unit.hold) == (names, None)
    assert [frame.position for frame in unit.frames] == [0, 1, 2, 3]
    assert [frame.path for frame in unit.frames] == [f"drive/{name}" for name in names]


def test_a_counter_that_began_again_is_put_right_by_the_times() -> None:
    names = [f"IMG_{number:04d}.JPG" for number in (9998, 9999, 1, 2)]
    assert read(names).hold is not None
    unit = read(names, taken=one_by_one(names), order="time")
    assert (names_of(unit), unit.hold) == (names, None)


@pytest.mark.parametrize(
    ("taken", "said"),
    [
        ([at(1), at(2), None, at(3)], "1 of 4 frames have no EXIF time (DateTimeOriginal): c.jpg"),
        ([None] * 4, "4 of 4 frames have no EXIF time (DateTimeOriginal): a.jpg"),
        ([at(1), at(2, zoned=True), at(3), at(4)], "some EXIF times have an offset from UTC and some have none"),
        (
            [at(4.5, 1), at(4.05, 2), at(3), at(2)],
            "the EXIF times of one second have fractions of several lengths: b.jpg",
        ),
    ],
)
def test_times_that_are_no_order_are_held(taken: list[Taken | None], said: str) -> None:
    known = {name: when for name, when in zip(NAMES, taken, strict=True) if when is not None}
    unit = read(NAMES, taken=known, order="time")
    assert names_of(unit) == NAMES
    assert unit.hold == ("order", f"the order of the frames is in doubt: {said}: 'retry' sends it as it is")


def test_frames_of_one_time_stay_in_the_order_of_their_names() -> None:
    names = ["b_1.jpg", "b_2.jpg", "a_9.jpg"]
    unit = read(names, taken={"b_1.jpg": at(1), "b_2.jpg": at(1), "a_9.jpg": at(2)}, order="time")
    assert (names_of(unit), unit.hold) == (names, None)


def test_frames_of_one_time_whose_names_tell_no_order_are_held() -> None:
    names = ["IMG_9999.JPG", "IMG_0001.JPG", "IMG_0002.JPG"]
    unit = read(names, taken={"IMG_9999.JPG": at(1), "IMG_0001.JPG": at(1), "IMG_0002.JPG": at(2)}, order="time")
    assert unit.hold is not None
    assert "2 frames have the same EXIF time" in unit.hold[1]


def test_bytes_decide_where_that_is_asked_for() -> None:
    names = ["b_10.jpg", "b_9.jpg", "left_1.jpg", "right_1.jpg"]
    unit = read(names, order="bytes", taken={"b_10.jpg": at(2), "b_9.jpg": at(1)})
    assert (names_of(unit), unit.hold) == (names, None)


@pytest.mark.parametrize("order", ["time", "bytes"])
def test_what_may_be_there_twice_is_held_in_any_order(order: str) -> None:
    names = ["f1.jpg", "f2.jpg", "f2 - Copy.jpg"]
    unit = read(names, order=order, taken=one_by_one(names))
    assert unit.hold is not None
    assert "f2 - Copy.jpg looks like a copy of f2.jpg" in unit.hold[1]


@pytest.mark.parametrize("gaps", ["warn", "hold", "ignore"])
def test_a_doubt_is_told_before_a_gap(gaps: str) -> None:
    unit = read(["left_1.jpg", "right_1.jpg"], gaps=gaps)
    assert unit.hold is not None
    assert unit.hold[0] == "order"


def test_a_gap_is_held_where_that_is_asked_for() -> None:
    unit = read(["1.jpg", "2.jpg", "4.jpg"], gaps="hold")
    assert unit.hold == ("gaps", "frame 3 is missing (1 to 4, step 1): 'retry' sends it as it is")
