from __future__ import annotations

import math

import pytest

from agent.targets.gate import Gate


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_shuts_it_and_what_opens_it() -> None:
    gate = Gate(_Clock())
    assert gate.enter()
    gate.pause(paused=True)
    gate.block("the key")
    assert not gate.enter()
    gate.pause(paused=False)
    assert gate.is_shut
    gate.block("")
    assert gate.enter()
    gate.stop()
    gate.pause(paused=False)
    assert not gate.enter(), "for good"


def test_the_longest_hold_counts() -> None:
    clock = _Clock()
    gate = Gate(clock)
    gate.hold(60.0)
    gate.hold(5.0)
    assert gate.held_for() == 60.0
    clock.now += 59.0
    assert gate.held_for() == 1.0
    clock.now += 2.0
    assert gate.held_for() == 0.0
    assert gate.enter()


def test_who_is_held_is_let_go_by_a_stop() -> None:
    gate = Gate(_Clock())
    gate.hold(math.inf)
    gate.stop()
    assert not gate.enter()


def test_without_a_rate_everything_may_start() -> None:
    assert Gate(_Clock()).starts(1000) == (1000, 0.0)


@pytest.mark.parametrize("per_minute", [0.5, 6.0, 60.0, 90.0, 600.0, 6000.0])
def test_the_rate_is_kept_and_used(per_minute: float) -> None:
    clock = _Clock()
    gate = Gate(clock, per_minute)
    started, slept = 0, 0
    end = clock.now + 600.0
    while clock.now < end:
        count, wait = gate.starts(1000)
        started += count
        assert wait > 0
        clock.now += wait
        slept += 1
    assert per_minute * 10 - 1 <= started <= per_minute * 10 + max(1.0, per_minute / 60) + 1
    assert slept <= per_minute * 10 + 2, "it tells how long to wait, not just to ask again"
