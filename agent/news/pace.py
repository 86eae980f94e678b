"""When news are told: gathered over five minutes, never two within a minute, one summary on each day. Pure."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from agent.core.retry import NEWS

if TYPE_CHECKING:
    from datetime import datetime

GATHER_SECONDS = 300.0
"""What is new is told so long after the first of it."""
APART_SECONDS = 60.0
"""From one message to the next, at the least."""
STEADY = 60.0
"""A trouble that was gone for a shorter time has not ended: a server that comes and goes is away."""


class Pace:
    """Whether a message may leave, and whether what is new has been gathered for long enough.

    Seconds are monotonic: a clock that is set makes nobody wait. What was before this run is told by the wall clock, as
    a number of seconds that have passed; less than none, or ever so many, where that was set meanwhile.
    """

    def __init__(self, now: float, passed: float | None, failures: int) -> None:
        """Begin at `now`: so much has passed since the last message left, or `failures` tries in a row have ended."""
        self._free_at = now
        if passed is not None:
            rest = _rest(failures)
            self._free_at += rest - min(max(passed, 0.0), rest)
        self._since: float | None = None

    def is_free(self, now: float) -> bool:
        """Tell whether a message may leave."""
        return now >= self._free_at

    def is_gathered(self, waited: float | None, now: float) -> bool:
        """Tell whether what is new is to be told, of which the first has waited so long; None where nothing is new."""
        if waited is None:
            self._since = None
            return False
        if self._since is None:
            self._since = now - min(max(waited, 0.0), GATHER_SECONDS)
        return now - self._since >= GATHER_SECONDS

    def told(self, now: float, *, all_new: bool) -> None:
        """Take note that a message was told, with all that was new, or the summary alone."""
        self._free_at = now + _rest(0)
        if all_new:
            self._since = None

    def failed(self, now: float, failures: int) -> None:
        """Take note that as many tries in a row have failed."""
        self._free_at = now + _rest(failures)


def _rest(failures: int) -> float:
    return NEWS.seconds(failures) if failures else APART_SECONDS


def day_to_sum(at: tuple[int, int], local: datetime, summed_on: str) -> str:
    """Return the day whose summary is to be told now, '' where none is: once the clock shows `at`, or later on the day.

    An hour that is there twice, or is left out, changes nothing in that. A last day in the future is from when the
    clock, or the zone, was another: one that is a single day ahead may be of a zone further east, and is waited for.
    """
    today = local.date()
    if (local.hour, local.minute) < at:
        return ""
    if summed_on and today <= date.fromisoformat(summed_on) <= today + timedelta(days=1):
        return ""
    return today.isoformat()


def begun_on(at: tuple[int, int], local: datetime) -> str:
    """Return the day that needs no summary any more for whom news begin now: a time that is over is not made up for."""
    return day_to_sum(at, local, "")
