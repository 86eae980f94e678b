"""How many at once, and how fast: simulated servers, in simulated time."""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.flow import FIRST, Concurrency, Flow, Pace

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Sliding:
    """Takes so many requests in any second."""

    most: int
    times: deque[float] = field(default_factory=deque)

    def takes(self, now: float) -> bool:
        while self.times and self.times[0] <= now - 1:
            self.times.popleft()
        if len(self.times) >= self.most:
            return False
        self.times.append(now)
        return True


@dataclass
class Fixed:
    """Takes so many requests in each second of its clock."""

    most: int
    second: int = -1
    count: int = 0

    def takes(self, now: float) -> bool:
        if math.floor(now) != self.second:
            self.second, self.count = math.floor(now), 0
        self.count += 1
        return self.count <= self.most


@dataclass
class Bucket:
    """Fills by so many a second, up to `burst`."""

    most: float
    burst: float
    tokens: float = 0.0
    last: float = 0.0

    def takes(self, now: float) -> bool:
        self.tokens = min(self.burst, self.tokens + (now - self.last) * self.most)
        self.last = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass
class Seen:
    """What came of a simulation: answers, refusals, and the most that were under way at once."""

    answers: int = 0
    refusals: int = 0
    most: int = 0
    limits: list[int] = field(default_factory=list)


def _simulate(
    workers: int,
    seconds: float,
    takes: Callable[[float], bool],
    latency: Callable[[int, random.Random], float],
    *,
    flow: Flow | None = None,
    seed: int = 1,
    at: float = 100.0,
) -> Seen:
    """Have workers that never lack a job send by `flow`; `latency` is by how many are under way."""
    flow = flow or Flow(workers)
    rng = random.Random(seed)
    seen, now = Seen(), at + rng.random()
    end = now + seconds
    under_way: list[tuple[float, float, bool]] = []
    while now < end:
        while len(under_way) < workers and flow.wait(now) <= 0:
            flow.begins(now)
            over = now + latency(len(under_way) + 1, rng)
            heapq.heappush(under_way, (over, now, takes(now)))
        seen.most = max(seen.most, len(under_way))
        wait = flow.wait(now)
        leaves = math.inf if len(under_way) == workers or math.isinf(wait) else now + wait + rng.random() * 0.003
        if not under_way or leaves < under_way[0][0]:
            now = leaves
            continue
        now, began, taken = heapq.heappop(under_way)
        if taken:
            seen.answers += 1
            flow.answered(began, now, 1)
        else:
            seen.refusals += 1
            flow.pushed_back(began, now, too_often=True)
        flow.ends()
        seen.limits.append(flow.concurrency.limit)
    return seen


def _always(_now: float) -> bool:
    return True


@pytest.mark.parametrize("workers", [2, 8, 64])
@pytest.mark.parametrize("latency", [0.0005, 0.05, 0.2])
@pytest.mark.parametrize(
    "server", [lambda: Sliding(5), lambda: Fixed(5), lambda: Bucket(5.0, 5.0), lambda: Bucket(5.0, 1.5)]
)
def test_five_a_second_are_reached_with_few_refusals(
    workers: int, latency: float, server: Callable[[], Sliding | Fixed | Bucket]
) -> None:
    for seed in range(5):
        seen = _simulate(workers, 120.0, server().takes, lambda _, rng: latency * rng.uniform(1, 1.2), seed=seed)
        assert seen.answers >= 0.9 * 5 * 120
        assert seen.refusals < 0.05 * (seen.answers + seen.refusals)


@pytest.mark.parametrize("most", [1, 20, 50])
def test_other_rates_are_found_too(most: int) -> None:
    seen = _simulate(8, 120.0, Fixed(most).takes, lambda _, rng: 0.02 * rng.uniform(1, 1.2))
    assert seen.answers >= 0.85 * most * 120
    assert seen.refusals < 0.05 * (seen.answers + seen.refusals) + 16


def test_a_burst_that_is_let_through_is_not_taken_for_the_rate() -> None:
    seen = _simulate(8, 120.0, Bucket(5.0, 100.0, 100.0, 100.0).takes, lambda _, rng: 0.02 * rng.uniform(1, 1.2))
    assert seen.answers >= 0.9 * 5 * 120
    assert seen.refusals < 0.08 * (seen.answers + seen.refusals)


def test_a_server_that_takes_more_later_gets_more() -> None:
    flow = Flow(8)
    _simulate(8, 60.0, Sliding(5).takes, lambda _, _rng: 0.02, flow=flow)
    flow.under_way = 0
    _simulate(8, 300.0, _always, lambda _, _rng: 0.02, flow=flow, at=162.0)
    flow.under_way = 0
    seen = _simulate(8, 10.0, _always, lambda _, _rng: 0.02, flow=flow, at=464.0)
    assert seen.answers > 0.9 * 10 * 400, "8 at once, each 20 ms, are 400 a second"


@pytest.mark.parametrize("workers", [1, 8, 16, 64])
def test_a_steady_server_is_used_by_all_workers(workers: int) -> None:
    seen = _simulate(workers, 10.0, _always, lambda _, rng: 0.05 * rng.uniform(1.0, 1.3))
    bare = workers * 10 / (0.05 * 1.15)
    assert seen.answers >= 0.97 * bare
    assert seen.most == workers
    assert seen.refusals == 0


def test_a_latency_that_grows_with_the_number_keeps_it_low() -> None:
    """It works at 4 at a time: whatever is beyond only waits there."""
    seen = _simulate(64, 60.0, _always, lambda count, rng: 0.1 * max(1.0, count / 4) * rng.uniform(1, 1.1))
    late = seen.limits[len(seen.limits) // 3 :]
    assert sum(late) / len(late) < 32
    assert min(late) >= 2
    assert seen.answers > 0.8 * 60 * 40


def test_a_server_that_has_become_slower_for_good_is_used_again() -> None:
    flow = Flow(8)
    _simulate(8, 10.0, _always, lambda _, _rng: 0.05, flow=flow)
    flow.under_way = 0
    seen = _simulate(8, 300.0, _always, lambda _, _rng: 1.0, flow=flow, at=112.0)
    assert min(seen.limits) < 8
    assert seen.limits[-1] == 8


def test_long_jobs_among_short_ones_are_no_slowness() -> None:
    concurrency = Concurrency(8)
    for number in range(2000):
        size = 1000 if number > 1000 else 1
        now = 10.0 * number
        concurrency.answered(now, now + (9.0 if size > 1 else 0.05), under_way=8, size=size)
    assert concurrency.limit == 8


def test_half_as_many_once_for_all_that_were_under_way() -> None:
    concurrency = Concurrency(8)
    for _ in range(8):
        concurrency.pushed_back(1.0, 2.0)
    assert concurrency.limit == 4
    concurrency.pushed_back(2.5, 3.0)
    assert concurrency.limit == 2


EVENTS = st.lists(st.tuples(st.floats(0, 5), st.floats(0, 200), st.sampled_from("anft"), st.integers(1, 5000)))


@settings(max_examples=200)
@given(st.integers(1, 64), EVENTS)
def test_it_is_never_above_what_was_set_nor_below_one(
    workers: int, events: list[tuple[float, float, str, int]]
) -> None:
    flow, now = Flow(workers), 1000.0
    for passed, took, what, size in events:
        now += passed
        if flow.wait(now) <= 0:
            flow.begins(now)
        if what == "a":
            flow.answered(now - took, now, size)
        elif what == "n":
            flow.under_way = max(0, flow.under_way - 1)
        else:
            flow.pushed_back(now - took, now, too_often=what == "t")
        assert 1 <= flow.concurrency.limit <= workers
        assert flow.pace.rate(now) > 0
        assert flow.under_way <= workers
        assert flow.pace.wait(now) <= 6.0, "however often it is refused, the next one leaves within seconds"


def test_without_a_refusal_there_is_no_pace() -> None:
    pace = Pace()
    for number in range(10_000):
        pace.leaves(number / 1000)
        pace.accepted(number / 1000)
        assert pace.wait(number / 1000) == 0
    assert math.isinf(pace.rate(10.0))


def test_before_any_answer_few_leave() -> None:
    flow, now = Flow(64), 0.0
    while flow.wait(now) <= 0:
        flow.begins(now)
    assert flow.under_way == FIRST
