"""The time by the clock, and whether the clock was set back: what waits for a time would wait too long then. I/O."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

SLACK = 60.0
"""Seconds by which the clock may be set back before what waits for its time is taken up at once."""


class Clocks(NamedTuple):
    """What a stage is handed to tell the time by.

    `wall` gives seconds since 1970, `monotonic` those of waits, `cpu` the calling thread's processor seconds.
    """

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    cpu: Callable[[], float] = time.thread_time


def utc_now() -> datetime:
    """Return the time by the clock, in UTC."""
    return datetime.now(UTC)


class ClockSteps:
    """Compares the time by the clock with monotonic seconds."""

    def __init__(self, now: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        self._now = now
        self._monotonic = monotonic
        self._lead = self._current()

    def seconds(self) -> float:
        """Return by how much the clock was set back since the last call, 0 where that is within the slack."""
        before, self._lead = self._lead, self._current()
        return before - self._lead if self._lead < before - SLACK else 0.0

    def _current(self) -> float:
        return self._now().timestamp() - self._monotonic()
