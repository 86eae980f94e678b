from __future__ import annotations

import math
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from agent.core.retry import UNIT
from agent.core.settling import MOST_IN_VAIN, Settling
from agent.model import Kind
from agent.model.units import UnitKey

LOOK_AGAIN = UNIT.seconds()
A = UnitKey("a.jpg", Kind.IMAGE)
B = UnitKey("b", Kind.SEQUENCE)


def test_a_unit_settles_by_two_looks_that_agree_its_quiet_time_apart() -> None:
    settle = Settling()
    settle.observe(A, 1, quiet=2.0, now=10.0)
    assert settle.next_deadline() == 12.0
    assert settle.due(11.9) == []
    assert settle.due(12.0) == [A]
    assert settle.settled() == []
    settle.observe(A, 1, quiet=2.0, now=12.0)
    assert settle.settled() == [A]
    assert settle.settled() == []
    assert A not in settle
    assert settle.next_deadline() is None


def test_another_fingerprint_starts_the_quiet_time_anew() -> None:
    settle = Settling()
    settle.observe(A, 1, quiet=2.0, now=0.0)
    settle.observe(A, 2, quiet=2.0, now=2.0)
    assert settle.settled() == []
    settle.observe(A, 2, quiet=2.0, now=3.9)
    assert settle.settled() == []
    settle.observe(A, 2, quiet=2.0, now=4.0)
    assert settle.settled() == [A]


def test_going_back_to_an_older_look_is_a_change_too() -> None:
    settle = Settling()
    for now, fingerprint in ((0.0, 1), (1.0, 2), (2.0, 1)):
        settle.observe(A, fingerprint, quiet=2.0, now=now)
    assert settle.settled() == []
    assert settle.due(3.9) == []
    assert settle.due(4.0) == [A]


def test_a_touch_starts_the_quiet_time_anew_though_nothing_looks_different() -> None:
    settle = Settling()
    settle.observe(A, 1, quiet=2.0, now=0.0)
    settle.touch(A, 1.5)
    assert settle.due(2.0) == []
    assert settle.next_deadline() == 3.5
    settle.observe(A, 1, quiet=2.0, now=3.5)
    assert settle.settled() == [A]
    settle.touch(B, 4.0)
    assert B not in settle


def test_nothing_settles_while_it_is_blocked() -> None:
    settle = Settling()
    settle.observe(B, 1, quiet=2.0, now=0.0, blocked_until=100.0)
    assert settle.next_deadline() == 100.0
    settle.observe(B, 1, quiet=2.0, now=50.0, blocked_until=100.0)
    assert settle.settled() == []
    settle.observe(B, 1, quiet=2.0, now=51.0)
    assert settle.settled() == [B], "it had been quiet all the time"


def test_blocked_without_end_is_never_due_until_it_is_unblocked() -> None:
    settle = Settling()
    settle.observe(B, 1, quiet=2.0, now=0.0, blocked_until=math.inf)
    assert settle.next_deadline() is None
    assert settle.due(1e9) == []
    settle.touch(B, 1e9)
    settle.observe(B, 1, quiet=2.0, now=1e9)
    assert settle.due(1e9 + 2) == [B]


def test_a_shorter_quiet_time_brings_the_look_forward() -> None:
    settle = Settling()
    settle.observe(B, 1, quiet=30.0, now=0.0)
    settle.observe(B, 1, quiet=2.0, now=1.0)
    assert settle.next_deadline() == 2.0


def test_a_look_that_came_to_nothing_is_due_again() -> None:
    settle = Settling()
    settle.observe(A, 1, quiet=2.0, now=0.0)
    assert settle.due(2.0) == [A]
    assert settle.due(2.0) == []
    assert settle.next_deadline() == 2.0 + LOOK_AGAIN
    assert settle.due(2.0 + LOOK_AGAIN) == [A]


def test_what_is_forgotten_is_not_due() -> None:
    settle = Settling()
    settle.observe(A, 1, quiet=2.0, now=0.0)
    settle.forget(A)
    settle.forget(A)
    assert (len(settle), list(settle), settle.next_deadline(), settle.due(9.0)) == (0, [], None, [])
    settle.observe(A, 1, quiet=2.0, now=10.0)
    assert settle.due(11.0) == []


def test_nothing_stays_of_units_that_were_forgotten_while_others_wait_for_ever() -> None:
    settle = Settling()
    settle.observe(B, 1, quiet=2.0, now=0.0, blocked_until=math.inf)
    for number in range(10 * MOST_IN_VAIN):
        unit = UnitKey(f"came and went {number}", Kind.SEQUENCE)
        settle.observe(unit, 1, quiet=2.0, now=float(number), blocked_until=math.inf)
        settle.forget(unit)
    assert sum(map(len, settle._deadlines.values())) <= MOST_IN_VAIN + 4
    settle.block(B, 0.0)
    assert settle.due(2.0) == [B]


def test_growing_is_what_was_first_seen_long_ago_and_still_waits() -> None:
    settle = Settling()
    for now in range(10):
        settle.observe(A, now, quiet=2.0, now=float(now))
    settle.observe(B, 1, quiet=30.0, now=0.0)
    assert settle.growing(6.0, 3.0) == []
    assert settle.growing(6.1, 3.0) == [A]


@given(st.integers(-(10**6), 10**6))
def test_any_clock_will_do(start: int) -> None:
    settle = Settling()
    settle.observe(A, 1, quiet=2.0, now=float(start))
    assert settle.due(start + 2.0) == [A]


@dataclass
class Truth:
    """What is known of a unit by an obvious account of it: its look, since when, and until when it is blocked."""

    look: int
    since: float
    blocked_until: float


class SettleMachine(RuleBasedStateMachine):
    """Any order of looks, touches and waiting: a unit settles exactly when it has been quiet, and is never lost."""

    def __init__(self) -> None:
        super().__init__()
        self.settle = Settling()
        self.now = 0.0
        self.truth: dict[UnitKey, Truth] = {}

    def look(self, unit: UnitKey, look: int, blocked: float) -> None:
        until = self.now + blocked if blocked else -math.inf
        known = self.truth.get(unit)
        self.settle.observe(unit, look, quiet=4.0, now=self.now, blocked_until=until)
        if known is None:
            self.truth[unit] = Truth(look, self.now, until)
            assert self.settle.settled() == []
            return
        if known.look != look:
            known.look, known.since = look, self.now
        known.blocked_until = until
        quiet = self.now >= known.since + 4.0 and self.now >= until
        assert self.settle.settled() == ([unit] if quiet else [])
        if quiet:
            del self.truth[unit]

    @rule(unit=st.sampled_from([A, B]), look=st.integers(1, 2), blocked=st.sampled_from([0.0, 0.0, 3.0, math.inf]))
    def observe(self, unit: UnitKey, look: int, blocked: float) -> None:
        self.look(unit, look, blocked)

    @rule(unit=st.sampled_from([A, B]))
    def touch(self, unit: UnitKey) -> None:
        self.settle.touch(unit, self.now)
        if unit in self.truth:
            self.truth[unit].since = self.now

    @rule(unit=st.sampled_from([A, B]))
    def forget(self, unit: UnitKey) -> None:
        self.settle.forget(unit)
        self.truth.pop(unit, None)

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0, 4.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        due = self.settle.due(self.now)
        assert len(due) == len(set(due))
        for unit in due:
            known = self.truth[unit]
            assert self.now >= max(known.since + 4.0, known.blocked_until)

    @rule()
    def wait_for_all(self) -> None:
        """Following the deadlines alone, all that is not blocked for ever settles."""
        while (at := self.settle.next_deadline()) is not None:
            assert at < self.now + 60
            self.now = max(self.now, at)
            for unit in self.settle.due(self.now):
                self.look(unit, self.truth[unit].look, 0.0)
        assert all(known.blocked_until == math.inf for known in self.truth.values())
        assert len(self.settle) == len(self.truth)


TestSettleMachine = SettleMachine.TestCase


def test_a_unit_that_is_blocked_settles_once_it_is_not() -> None:
    settle = Settling()
    settle.observe(A, 1, quiet=2.0, now=10.0, blocked_until=70.0)
    assert settle.next_deadline() == 70.0
    settle.block(A, float("-inf"))
    assert settle.next_deadline() == 12.0
    assert settle.due(12.0) == [A]
    settle.block(A, 100.0)
    settle.observe(A, 1, quiet=2.0, now=13.0, blocked_until=100.0)
    assert settle.settled() == []
