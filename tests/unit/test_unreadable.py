"""What could not be read waits longer after each try, and is tried at once where it looks different."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.retry import READING
from agent.core.states import UNREADABLE
from agent.core.unreadable import Told, Unreadable, news
from agent.model import Kind
from agent.model.units import UnitKey

UNIT = UnitKey("a.jpg", Kind.IMAGE)
OTHER = UnitKey("s", Kind.SEQUENCE)


@given(st.integers(1, 40), st.floats(0, 1e9))
def test_each_wait_is_twice_the_last_up_to_ten_minutes(times: int, now: float) -> None:
    units = Unreadable()
    firsts = [units.failed(UNIT, "no", now) for _ in range(times)]
    assert firsts == [True] + [False] * (times - 1)
    assert math.isclose(units.until(UNIT) - now, min(600.0, 2.0**times), rel_tol=1e-6)
    assert units.tried(times) == {UNIT}
    assert units.tried(times + 1) == set()


@given(st.lists(st.sampled_from(["fail", "same", "other", "read"]), max_size=30))
def test_it_is_a_unit_like_others_as_soon_as_it_was_read_or_looks_different(steps: list[str]) -> None:
    units = Unreadable()
    fails, look = 0, 0
    for step in steps:
        if step == "fail":
            units.failed(UNIT, "no", 0.0)
            units.see(UNIT, look)  # as every failed try is followed by a look
            fails += 1
        elif step == "read":
            units.forget(UNIT)
            fails = 0
        else:
            look += step == "other"
            units.see(UNIT, look)
            fails = 0 if step == "other" else fails
        assert (UNIT in units) is (fails > 0)
        assert units.until(UNIT) == (READING.seconds(fails) if fails else -math.inf)


def test_the_first_look_after_a_try_is_what_later_ones_are_compared_with() -> None:
    units = Unreadable()
    units.failed(UNIT, "no", 0.0)
    units.see(UNIT, "as it is now")
    units.failed(UNIT, "no", 10.0)
    units.see(UNIT, "as it is then")
    assert units.until(UNIT) == 10.0 + READING.seconds(2)
    units.see(UNIT, "otherwise")
    assert UNIT not in units


WAITS, UNREAD = Told("waits", 1, 10, ""), Told("cannot be read", 1, 10, UNREADABLE)


@pytest.mark.parametrize(
    ("seen", "known", "columns"),
    [
        (WAITS, WAITS, {}),
        (WAITS, WAITS._replace(reason="else"), WAITS._asdict()),
        (WAITS, WAITS._replace(error_code="http-503"), {}),
        (WAITS, Told("else", 1, 10, "http-503"), {**WAITS._asdict(), "error_code": "http-503"}),
        (UNREAD, WAITS, {**UNREAD._asdict(), "updated_at": "now"}),
        (UNREAD, UNREAD, {}),
        (UNREAD, UNREAD._replace(reason="another error"), UNREAD._asdict()),
        (WAITS, UNREAD, {}),
        (WAITS._replace(bytes=11), UNREAD, WAITS._replace(bytes=11)._asdict()),
        (WAITS._replace(frame_count=2), UNREAD, WAITS._replace(frame_count=2)._asdict()),
    ],
)
def test_what_a_look_changes(seen: Told, known: Told, columns: dict[str, object]) -> None:
    assert news(seen, known, "now") == columns


def test_those_that_a_person_asks_for_are_tried_at_once_and_others_are_not() -> None:
    units = Unreadable()
    units.failed(UNIT, "no", 0.0)
    units.failed(OTHER, "neither", 0.0)
    assert units.hurry({OTHER}) == [UNIT]
    assert (units.until(UNIT), units.until(OTHER)) == (-math.inf, READING.seconds())
    assert units.reason(UNIT) == "no; it is tried again, and goes on by itself"
    units.failed(UNIT, "still", 5.0)
    assert units.until(UNIT) == 5.0 + READING.seconds(2)
