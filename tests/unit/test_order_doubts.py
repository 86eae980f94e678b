"""Any counter is in order and never held, any copy beside its original is; times and bytes tell what names cannot."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reading import DAY_NS, at, names_of, one_by_one, read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.model import Taken, Unit

# Any text that a name may hold: also digits, dots and letters of other scripts.
texts = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), max_size=8)
words = st.text(string.ascii_letters + "_- ", max_size=8)

COPIES = (
    "{} (1)", "{}(1)", "{} - Copy", "{} - Copy (2)", "{} - Kopie", "{} copy", "{} copy 2", "{} 2", "{}-1", "{}_1",
    "{}.1", "{}~2", "{} (copy)", "{} (another copy)", "{}-edited", "Copy of {}", "Kopie von {}", "Copie de {}",
    "{}.sync-conflict-20240101-120000-CK225WL", "{} (conflicted copy 2024-01-01 120000)",
    "{} (SFConflict a@example.com 2024-01-01-12-00-00)", "{}_conflict-20240101-120000", "{}\u306e\u30b3\u30d4\u30fc",
)  # fmt: skip


@st.composite
def counters(draw: st.DrawFn, text: st.SearchStrategy[str] = texts, least: int = 1) -> list[str]:
    """Names numbered by one counter, padded or not, up or down from anywhere, with anything around it."""
    before = draw(text.filter(lambda before: not before.endswith("0")))  # 1.0 and a 3 behind it is read as 1.03
    after = draw(text)
    width = draw(st.integers(1, 10))
    step = draw(st.integers(1, 50))
    first = draw(st.integers(0, 10 ** draw(st.integers(1, 8))))
    count = draw(st.integers(least, 40))
    return [f"{before}{first + step * n:0{width}d}{after}.jpg" for n in range(count)]


def code(unit: Unit) -> str | None:
    return unit.hold[0] if unit.hold else None


@given(counters(), st.integers(0, 99))
def test_any_counter_is_in_order_and_not_held(names: list[str], seed: int) -> None:
    unit = read(names, seed=seed)
    assert (names_of(unit), unit.hold) == (names, None)


@given(counters(words), st.integers(0, 99))
def test_a_whole_counter_has_nothing_to_be_said_of_it(names: list[str], seed: int) -> None:
    assert read(names, seed=seed).warning is None


@given(counters(words), st.lists(st.sampled_from("abc"), min_size=40, max_size=40), st.integers(0, 99))
def test_equal_frames_of_one_counter_are_a_still_scene(names: list[str], scenes: list[str], seed: int) -> None:
    assert read(names, seed=seed, bytes_of=dict(zip(names, scenes, strict=False))).hold is None


@given(counters(words), st.data())
def test_a_copy_beside_its_original_is_held(names: list[str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(names)).removesuffix(".jpg")
    copy = data.draw(st.sampled_from(COPIES)).format(name)
    unit = read([*names, f"{copy}.jpg"])
    assert code(unit) == "order"
    assert unit.digest
    assert unit.problem is None


def test_names_with_a_number_before_one_name_are_copies_of_it() -> None:
    assert code(read(["0az.jpg", "1az.jpg", "z.jpg"])) == "order"


@given(counters(words, least=2), words, st.data())
def test_equal_bytes_by_a_name_of_another_pattern_are_held(names: list[str], word: str, data: st.DataObject) -> None:
    other = f"z{word}+.png"  # no other name has a plus: zA beside z1A and z2A would be a hexadecimal counter
    unit = read([*names, other], bytes_of={other: data.draw(st.sampled_from(names))})
    assert code(unit) == "order"


@given(st.sets(st.integers(0, 3 * 10**7), min_size=2, max_size=60), st.integers(1, 7), words, st.integers(0, 99))
def test_any_times_with_a_fraction_are_in_order(ticks: set[int], digits: int, word: str, seed: int) -> None:
    times = sorted({1_700_000_000 + round(tick / 10**7, digits) for tick in ticks})
    names = [f"{word}{time}.jpg" for time in times]
    assert names_of(read(names, seed=seed)) == names
    assert read(names, seed=seed).hold is None


@given(st.integers(1, 120), st.integers(1, 6), st.integers(5, 90), words)
def test_a_rate_from_zero_is_in_order_or_held(rate: int, digits: int, count: int, word: str) -> None:
    names = [f"{word}{time}.jpg" for time in sorted({round(n / rate, digits) for n in range(count)})]
    unit = read(names)
    assert names_of(unit) == names or code(unit) == "order"


@given(st.integers(-60, -1), st.integers(1, 60), words.filter(lambda word: not word.endswith("-")))
def test_a_signed_counter_is_in_order(low: int, high: int, word: str) -> None:
    names = [f"{word}{number}.jpg" for number in range(low, high)]
    unit = read(names)
    assert (names_of(unit), unit.hold) == (names, None)


@given(counters(words, least=2), st.data())
def test_times_that_rise_are_fine_and_one_that_falls_is_held(names: list[str], data: st.DataObject) -> None:
    taken = one_by_one(names)
    assert read(names, taken=taken).hold is None
    place = data.draw(st.integers(1, len(names) - 1))
    one, other = names[place - 1], names[place]
    unit = read(names, taken=taken | {one: taken[other], other: taken[one]})
    assert code(unit) == "order"
    assert unit.hold is not None
    assert f"{other} was taken at 2023-11-14 22:13:" in unit.hold[1]


@pytest.mark.parametrize(
    ("one", "other", "held"),
    [
        (at(5.5), at(5.4), True),
        (at(5.5), at(5.5), False),
        (at(5), at(4, 0), True),
        (at(5.5, 1), at(5.05, 2), False),  # '5' may be 5 ms as well
        (at(5.5, 1), at(4.05, 2), True),
        (at(7200, zoned=True), at(7100, zoned=True), True),
        (at(7200, zoned=True), at(7100), False),
    ],
)
def test_what_can_be_compared_of_two_times(one: Taken, other: Taken, held: bool) -> None:
    names = ["f1.jpg", "f2.jpg"]
    assert (code(read(names, taken=dict(zip(names, (one, other), strict=True)))) == "order") is held


def test_frames_without_a_time_are_passed_over() -> None:
    names = ["f1.jpg", "f2.jpg", "f3.jpg"]
    assert code(read(names, taken={"f1.jpg": at(3), "f3.jpg": at(2)})) == "order"
    assert code(read(names, taken={"f1.jpg": at(2), "f3.jpg": at(3)})) is None


SHORT = ["08-01-2024.jpg", "09-01-2024.jpg", "01-02-2024.jpg"]
AS_SENT = ["01-02-2024.jpg", "08-01-2024.jpg", "09-01-2024.jpg"]


@pytest.mark.parametrize(("order", "held"), [(SHORT, True), (AS_SENT, False)])
def test_files_times_tell_a_day_from_a_month(order: Sequence[str], held: bool) -> None:
    written = {name: place * DAY_NS for place, name in enumerate(order)}
    unit = read(SHORT, written=written)
    assert names_of(unit) == AS_SENT
    assert (code(unit) == "order") is held


def test_files_times_of_one_copying_tell_nothing() -> None:
    assert read(SHORT, written={name: -place for place, name in enumerate(SHORT)}).hold is None


def test_one_doubt_after_the_other_is_told_and_what_to_do() -> None:
    unit = read(["left_1.jpg", "right_1.jpg"], taken={"left_1.jpg": at(3), "right_1.jpg": at(2)})
    said = (
        "the order of the frames is in doubt: their names are of 2 patterns, as where there are several cameras: "
        "left_1.jpg; right_1.jpg; right_1.jpg was taken at 1970-01-01 00:00:02.000, before left_1.jpg "
        "(1970-01-01 00:00:03.000): 'retry' sends it as it is"
    )
    assert unit.hold == ("order", said)


def test_a_doubt_is_a_warning_where_that_is_asked_for() -> None:
    unit = read(["f1.jpg", "f01.jpg", "f2.jpg", "f4.jpg"], doubt="warn")
    assert unit.hold is None
    assert unit.warning == "f01.jpg and f1.jpg have the same number; frame 3 is missing (1 to 4, step 1)"


@given(st.sets(st.text(st.sampled_from("0129 ()-_.aAzé~T:+"), min_size=1, max_size=9), min_size=1, max_size=9))
def test_any_names_are_in_some_order_or_held(stems: set[str]) -> None:
    names = [f"{stem}.jpg" for stem in stems]
    unit = read(names)
    assert sorted(names_of(unit)) == sorted(names)
    assert code(unit) in (None, "order")
