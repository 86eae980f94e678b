"""Images that are gathered wait as they would have on their own: whatever is asked, the answers are the same."""

from __future__ import annotations

import math

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agent.core import settling
from agent.core.settling import Settling
from agent.model import Kind, join, shown
from agent.model.units import UnitKey

FOLDERS = ("", "f", "f/\udce9")
NAMES = ("a.jpg", "b.jpg", "b", "\udce9.jpg", "é.jpg", "z.jpg", "zz.jpg")
UNITS = [UnitKey(join(folder, name), Kind.IMAGE) for folder in FOLDERS for name in NAMES]
LOOKS = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 1])


class Gathering(RuleBasedStateMachine):
    """The same is done to two, and one of them has images gathered."""

    def __init__(self) -> None:
        super().__init__()
        self._few, settling.FEW = settling.FEW, 2
        self.plain, self.gathering = Settling(), Settling()
        self.now = 0.0

    def teardown(self) -> None:
        settling.FEW = self._few

    @rule(
        folder=st.sampled_from(FOLDERS),
        names=st.sets(st.sampled_from(NAMES)),
        look=LOOKS,
        quiet=st.sampled_from([1, 2]),
    )
    def lists(self, folder: str, names: set[str], look: int, quiet: int) -> None:
        new = [UnitKey(join(folder, name), Kind.IMAGE) for name in sorted(names, key=shown)]  # as they are compared
        new = [unit for unit in new if unit not in self.plain]
        for each in (self.plain, self.gathering):
            for unit in new:
                each.observe(unit, look, quiet=quiet, now=self.now)
        self.gathering.gather(folder, new)

    @rule(unit=st.sampled_from(UNITS), look=LOOKS, until=st.sampled_from([-math.inf, 0.0, 3.0]))
    def looks(self, unit: UnitKey, look: int, until: float) -> None:
        for each in (self.plain, self.gathering):
            each.observe(unit, look, quiet=2, now=self.now, blocked_until=until)

    @rule(unit=st.sampled_from(UNITS))
    def forgets(self, unit: UnitKey) -> None:
        for each in (self.plain, self.gathering):
            each.forget(unit)

    @rule(unit=st.sampled_from(UNITS), until=st.sampled_from([-math.inf, 0.0, 3.0]))
    def touches(self, unit: UnitKey, until: float) -> None:
        for each in (self.plain, self.gathering):
            each.touch(unit, self.now)
            if unit in each:
                each.block(unit, until)

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 2.5]), look=LOOKS)
    def waits(self, seconds: float, look: int) -> None:
        self.now += seconds
        due = sorted(self.plain.due(self.now))
        assert sorted(self.gathering.due(self.now)) == due
        for unit in due:
            for each in (self.plain, self.gathering):
                each.observe(unit, look, quiet=2, now=self.now)

    @invariant()
    def are_alike(self) -> None:
        plain, gathering = self.plain, self.gathering
        assert len(gathering) == len(plain)
        assert sorted(gathering) == sorted(plain)
        assert sorted(gathering.settled()) == sorted(plain.settled())
        assert gathering.next_deadline() == plain.next_deadline()
        assert sorted(gathering.growing(self.now, 1.0)) == sorted(plain.growing(self.now, 1.0))
        for unit in UNITS:
            assert (unit in gathering) == (unit in plain)
            assert gathering.is_blocked(unit, self.now) == plain.is_blocked(unit, self.now)


TestGathering = Gathering.TestCase


def test_those_of_one_listing_come_one_by_one_in_their_order() -> None:
    settle = Settling()
    units = [UnitKey(f"f/{number:04d}.jpg", Kind.IMAGE) for number in range(2000)]
    for start in range(0, 2000, 500):
        for unit in units[start : start + 500]:
            settle.observe(unit, hash(unit), quiet=2.0, now=start / 1000)
        settle.gather("f", units[start : start + 500])
    assert settle.due(1.9) == []
    assert [unit for _ in units for unit in settle.due(5.0, 1)] == units
    for unit in units:
        settle.observe(unit, hash(unit), quiet=2.0, now=5.0)
    assert settle.settled() == units
    assert len(settle) == 0


def test_a_few_and_those_that_are_kept_wait_on_their_own() -> None:
    settle = Settling()
    units = [UnitKey(f"{number:04d}.jpg", Kind.IMAGE) for number in range(settling.FEW)]
    for unit in units:
        settle.observe(unit, 1, quiet=2.0, now=0.0, blocked_until=9.0)
    settle.gather("", units)
    settle.gather("", units[:1])
    settle.gather("", [])
    assert settle.is_blocked(units[0], 8.0)
    assert settle.due(8.0) == []
    assert sorted(settle.due(9.0)) == units
