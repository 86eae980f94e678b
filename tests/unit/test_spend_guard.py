from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.spend_guard import Allowance, Limits, Spent, ask, day_of, is_used_up, next_day


@pytest.mark.parametrize(
    ("limits", "spent", "frames", "answer"),
    [
        (Limits(), Spent(10**9, 10**9), 10**9, Allowance.TODAY),
        (Limits(jobs=2), Spent(1, 50), 10**6, Allowance.TODAY),
        (Limits(jobs=2), Spent(2, 50), 1, Allowance.TOMORROW),
        (Limits(frames=10), Spent(0, 0), 10, Allowance.TODAY),
        (Limits(frames=10), Spent(0, 0), 11, Allowance.NEVER),
        (Limits(frames=10), Spent(1, 10), 11, Allowance.NEVER),
        (Limits(frames=10), Spent(1, 3), 7, Allowance.TODAY),
        (Limits(frames=10), Spent(1, 3), 8, Allowance.TOMORROW),
        (Limits(jobs=1, frames=10), Spent(1, 1), 1, Allowance.TOMORROW),
        (Limits(frames=10), Spent(1, 25), 1, Allowance.TOMORROW),
    ],
)
def test_what_may_be_sent_today(limits: Limits, spent: Spent, frames: int, answer: Allowance) -> None:
    assert ask(limits, spent, frames)[0] is answer


def test_the_sentences_name_the_setting_and_what_to_do() -> None:
    assert ask(Limits(frames=1_000), Spent(), 1_200)[1] == (
        "it has 1,200 frames, more than SUBMIT_LIMIT_FRAMES_PER_DAY (1,000): "
        "'retry' sends it all the same, 'dismiss' leaves it"
    )
    assert ask(Limits(jobs=1_000), Spent(1_000, 0), 1)[1] == (
        "the day's limit is reached: SUBMIT_LIMIT_JOBS_PER_DAY is 1,000"
    )
    assert ask(Limits(frames=10), Spent(1, 25), 1)[1].endswith("SUBMIT_LIMIT_FRAMES_PER_DAY is 10, 0 are left")
    assert ask(Limits(), Spent(), 1)[1] == ""


@given(st.integers(1, 5) | st.none(), st.integers(1, 20) | st.none(), st.lists(st.integers(1, 30), max_size=30))
def test_no_day_ever_goes_beyond_its_limits(jobs: int | None, frames: int | None, units: list[int]) -> None:
    limits, spent = Limits(jobs, frames), Spent()
    for unit in units:
        used_up = is_used_up(limits, spent)
        answer, why = ask(limits, spent, unit)
        assert (answer is Allowance.TODAY) is (why == "")
        if answer is Allowance.TODAY:
            assert not used_up
            spent = Spent(spent.jobs + 1, spent.frames + unit)
    assert jobs is None or spent.jobs <= jobs
    assert frames is None or spent.frames <= frames


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=9)), timezone(timedelta(hours=-8))])))
def test_the_next_day_is_the_next_utc_midnight(moment: datetime) -> None:
    if datetime.min.replace(tzinfo=UTC) + timedelta(days=2) < moment < datetime.max.replace(tzinfo=UTC) - timedelta(2):
        then = next_day(moment)
        assert timedelta(0) < then - moment <= timedelta(days=1)
        assert then.isoformat().endswith("T00:00:00+00:00")
        assert day_of(then) > day_of(moment)
        assert day_of(then - timedelta(microseconds=1)) == day_of(moment)
