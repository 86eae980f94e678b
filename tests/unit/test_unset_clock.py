"""A clock before 2024 was never set: a board without a battery begins in 1970."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agent.core.unset_clock import is_unset, told


@pytest.mark.parametrize(
    ("now", "unset"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), True),
        (datetime(2023, 12, 31, 23, 59, 59, tzinfo=UTC), True),
        (datetime(2024, 1, 1, tzinfo=UTC), False),
        (datetime(2099, 1, 1, tzinfo=UTC), False),
    ],
)
def test_a_clock_before_2024_is_not_set(now: datetime, unset: bool) -> None:
    assert is_unset(now) is unset
    assert bool(told(now)) is unset


def test_it_is_told_with_the_day_that_it_shows() -> None:
    assert told(datetime(1972, 2, 25, 12, tzinfo=UTC)) == (
        "the clock is not set (it says 1972-02-25): nothing is sent until it is"
    )
