"""What is counted never falls, whoever counts at the same time, and however a request ends."""

from __future__ import annotations

import math
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.post_outcomes import PostOutcome, outcome_of
from agent.errors import (
    AccessRefused,
    BatchExists,
    DuplicateReference,
    OutOfCredit,
    Refused,
    StoreRefused,
    TryLater,
    Unpublished,
)
from agent.host.meters import BOUNDS, POST_COUNT, POST_SECONDS, POSTS, REPEATED, UPLOADED_BYTES, UPLOADS, Meters

SECONDS = st.floats(0, 1000)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (DuplicateReference("", code=""), PostOutcome.DUPLICATE),
        (Refused("", code=""), PostOutcome.REFUSED),
        (BatchExists("", code=""), PostOutcome.REFUSED),
        (AccessRefused("", code=""), PostOutcome.ACCESS),
        (StoreRefused("", code=""), PostOutcome.ACCESS),
        (OutOfCredit("", code=""), PostOutcome.CREDIT),
        (TryLater("", code=""), PostOutcome.LATER),
        (TryLater("", code="", is_outage=True), PostOutcome.AWAY),
        (TryLater("", code="", is_too_often=True, is_outage=True), PostOutcome.TOO_OFTEN),
        (Unpublished("", code=""), PostOutcome.LATER),
        (ValueError(), PostOutcome.DEFECT),
    ],
)
def test_each_error_of_a_post_has_one_word(error: Exception, outcome: PostOutcome) -> None:
    assert outcome_of(error) is outcome


@given(st.lists(st.tuples(SECONDS, st.booleans()), max_size=30))
def test_each_post_is_under_one_outcome_and_one_bound(posts: list[tuple[float, bool]]) -> None:
    meters = Meters()
    for seconds, again in posts:
        meters.posted(PostOutcome.ACCEPTED, seconds, again=again)
    sums = meters.sums()
    assert sums.get((POSTS, "accepted"), 0) == len(posts)
    assert sums.get((REPEATED, ""), 0) == sum(again for _, again in posts)
    assert sums.get((POST_SECONDS, ""), 0) == pytest.approx(sum(seconds for seconds, _ in posts))
    for bound in BOUNDS:
        below = sum(value for (name, label), value in sums.items() if name == POST_COUNT and float(label) <= bound)
        assert below == sum(seconds <= bound for seconds, _ in posts)


@given(st.dictionaries(st.tuples(st.sampled_from([UPLOADS, UPLOADED_BYTES]), st.just("")), st.floats(0, 1e12)))
def test_a_run_goes_on_where_the_last_one_ended(kept: dict[tuple[str, str], float]) -> None:
    meters = Meters(kept)
    assert meters.sums() == kept
    meters.uploaded(10)
    assert all(meters.sums()[counted] >= value for counted, value in kept.items())
    assert meters.sums()[UPLOADS, ""] == kept.get((UPLOADS, ""), 0) + 1


def test_a_clock_that_goes_back_takes_nothing_away() -> None:
    meters = Meters()
    meters.posted(PostOutcome.AWAY, -5, again=False)
    assert meters.sums()[POST_SECONDS, ""] == 0
    meters.posted(PostOutcome.AWAY, math.inf, again=False)
    assert meters.sums()[POST_COUNT, "inf"] == 1


def test_no_count_is_lost_among_threads() -> None:
    meters, threads, each = Meters(), 8, 2000
    begin = threading.Barrier(threads)

    def count() -> None:
        begin.wait()
        for _ in range(each):
            meters.posted(PostOutcome.ACCEPTED, 0.01, again=True)
            meters.uploaded(3)
            sums = meters.sums()
            assert sums[UPLOADED_BYTES, ""] == 3 * sums[UPLOADS, ""], "they are told of one moment"

    running = [threading.Thread(target=count) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert meters.sums() == {
        (POSTS, "accepted"): threads * each,
        (POST_COUNT, "0.05"): threads * each,
        (POST_SECONDS, ""): pytest.approx(0.01 * threads * each),
        (REPEATED, ""): threads * each,
        (UPLOADS, ""): threads * each,
        (UPLOADED_BYTES, ""): 3 * threads * each,
    }
