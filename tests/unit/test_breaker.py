"""When a remote counts as away, and how often it is asked then: simulated, second by second."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.breaker import IN_A_ROW, Breaker
from agent.core.retry import BREAKER, OUTAGE_SECONDS

HOUR = 3600.0


def _opened(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for job in range(IN_A_ROW):
        breaker.failed(job, now)
    assert breaker.is_open
    return breaker


def _probes(breaker: Breaker, seconds: float, takes: float = 0.0) -> list[float]:
    """Return when probes leave for so long, each failing after it took so many seconds."""
    now, times = 0.0, []
    while (now := now + breaker.wait(now)) < seconds:
        times.append(now)
        job = 1000 + len(times)
        breaker.probes(job, now)
        now += takes
        breaker.failed(job, now)
    return times


def test_it_opens_with_the_fifth_job_that_fails_in_a_row() -> None:
    breaker = Breaker()
    assert [breaker.failed(job, 0.0) for job in range(5)] == [False] * 4 + [True]


def test_anything_that_goes_through_begins_the_row_anew() -> None:
    breaker = Breaker()
    for job in range(100):
        breaker.failed(job, float(job))
        if job % 4 == 3:
            breaker.worked()
    assert not breaker.is_open


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 100)), max_size=200))
def test_one_jobs_own_failures_never_open_it(times: list[tuple[bool, float]]) -> None:
    breaker, now = Breaker(), 0.0
    for others_work, passed in times:
        now += passed
        assert not breaker.failed(7, now)
        if others_work:
            breaker.worked()
    assert not breaker.is_open


def test_that_nobody_answers_is_no_jobs_making() -> None:
    breaker = Breaker()
    assert [breaker.failed(7, 0.0, sure=True) for _ in range(5)] == [False] * 4 + [True]


def test_two_jobs_alone_open_it_when_it_lasts() -> None:
    breaker = Breaker()
    assert not breaker.failed(1, 0.0)
    assert not breaker.failed(2, OUTAGE_SECONDS - 1)
    assert breaker.failed(1, OUTAGE_SECONDS)


def test_the_pauses_grow_to_a_minute() -> None:
    times = _probes(_opened(), HOUR)
    between = [later - before for before, later in itertools.pairwise(times)]
    assert between[:6] == [2, 4, 8, 16, 32, 60]
    assert set(between[5:]) == {60}
    assert len(_probes(_opened(), 30.0)) == 4


@given(st.floats(0, 120))
def test_no_more_than_that_however_long_an_answer_takes(takes: float) -> None:
    times = _probes(_opened(), 24 * HOUR, takes)
    for start, span, most in ((0.0, 30.0, 5), (30.0, 60.0, 3), (90.0, 60.0, 3), (HOUR, 60.0, 1)):
        assert len([at for at in times if start <= at < start + span]) <= most
    assert len(times) >= 24 * HOUR / (BREAKER.longest + takes) - 1


def test_who_was_under_way_when_it_opened_makes_no_pause_longer() -> None:
    breaker = _opened()
    for job in range(50, 90):
        assert not breaker.failed(job, 0.5)
    assert breaker.wait(0.5) == 0.5


def test_a_probe_that_comes_to_nothing_is_followed_by_another() -> None:
    breaker = _opened()
    breaker.probes(50, 1.0)
    assert breaker.wait(1.0) == BREAKER.seconds()


def test_many_files_of_one_probe_are_one_failure() -> None:
    breaker = _opened()
    breaker.probes(50, 1.0)
    for _ in range(8):
        breaker.failed(50, 2.0)
    assert breaker.wait(2.0) == 2.0


@pytest.mark.parametrize("probes", [0, 1, 20])
def test_what_goes_through_closes_it_and_pauses_are_short_again(probes: int) -> None:
    breaker = _opened()
    _probes(breaker, probes * 60.0)
    breaker.worked()
    assert not breaker.is_open
    assert not breaker.is_troubled
    for job in range(IN_A_ROW):
        breaker.failed(job, 5000.0)
    assert breaker.wait(5000.0) == BREAKER.seconds()


def test_tripped_it_waits_the_longest_pause() -> None:
    breaker = Breaker()
    breaker.trip(1, 100.0)
    assert breaker.is_open
    assert breaker.wait(100.0) == BREAKER.longest
    breaker.probes(2, 160.0)
    breaker.trip(2, 161.0)
    assert breaker.wait(161.0) == BREAKER.longest
