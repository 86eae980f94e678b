"""What could not be read, why, and when it is tried again. Pure: it is handed the time, in monotonic seconds.

No error of reading says anything about a file: a share's hiccup ends, rights are given, a server comes back. So a unit
waits, longer after each try; but what looks different since, because somebody has seen to it, is tried at once.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from agent.core.retry import READING
from agent.core.states import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable

    from agent.model.units import UnitKey


class Told(NamedTuple):
    """What is told of a unit that settles; `error_code` is UNREADABLE where it could not be read."""

    reason: str
    frame_count: int
    bytes: int
    error_code: str


def news(seen: Told, known: Told, at: str) -> dict[str, object]:
    """Return the columns that a look changes, where so much is known of a unit that settles, and it was seen `at`.

    That a unit cannot be read stands as it is, with the time when it began, until it was read or looks different.
    """
    if seen.error_code != known.error_code == UNREADABLE:
        is_same = (seen.frame_count, seen.bytes) == (known.frame_count, known.bytes)
        return {} if is_same else seen._asdict()
    if seen.error_code == UNREADABLE != known.error_code:
        return {**seen._asdict(), "updated_at": at}
    return {} if seen[:3] == known[:3] else {**seen._asdict(), "error_code": known.error_code}


class _Tried(NamedTuple):
    times: int
    reason: str
    until: float
    look: Hashable | None


class Unreadable:
    """The units that could not be read when it was last tried."""

    def __init__(self) -> None:
        self._units: dict[UnitKey, _Tried] = {}

    def __contains__(self, unit: object) -> bool:
        """Tell whether the unit could not be read."""
        return unit in self._units

    def failed(self, unit: UnitKey, reason: str, now: float) -> bool:
        """Take note of a try, and why it failed; return whether it was the first one in a row."""
        last = self._units.get(unit)
        times = last.times + 1 if last is not None else 1
        self._units[unit] = _Tried(times, reason, now + READING.seconds(times), None)
        return last is None

    def see(self, unit: UnitKey, look: Hashable) -> bool:
        """Take a look at a unit; return whether it looks otherwise than after the last try, and is as good as new."""
        tried = self._units.get(unit)
        if tried is None or tried.look == look:
            return False
        if tried.look is None:
            self._units[unit] = tried._replace(look=look)
            return False
        self.forget(unit)
        return True

    def until(self, unit: UnitKey) -> float:
        """Return the time before which the unit is not to be tried."""
        tried = self._units.get(unit)
        return tried.until if tried is not None else -math.inf

    def reason(self, unit: UnitKey) -> str:
        """Return what the unit waits for, in words."""
        return f"{self._units[unit].reason}; it is tried again, and goes on by itself"

    def tried(self, times: float) -> set[UnitKey]:
        """Return the units that could not be read so many times in a row."""
        return {unit for unit, tried in self._units.items() if tried.times >= times}

    def hurry(self, but_for: Collection[UnitKey]) -> list[UnitKey]:
        """Have units tried as soon as may be, but for some, and return them."""
        hurried = [unit for unit in self._units if unit not in but_for]
        self._units |= {unit: self._units[unit]._replace(until=-math.inf) for unit in hurried}
        return hurried

    def forget(self, unit: UnitKey) -> None:
        """Take note that a unit was read, or that there is nothing to be read of it."""
        self._units.pop(unit, None)
