"""The spend guard: may this unit's job be paid for today? Pure.

A day is a UTC day. A job is counted once for its reference_id, when its first intent is written, whatever becomes of
it: a retry costs nothing more, and a limit that errs does so on the cheap side.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

HELD = "'retry' sends it all the same, 'dismiss' leaves it"


@dataclass(frozen=True, slots=True)
class Limits:
    """The most jobs and frames on one UTC day; None stands for no limit."""

    jobs: int | None = None
    frames: int | None = None

    @property
    def are_set(self) -> bool:
        """Whether there is any limit."""
        return self.jobs is not None or self.frames is not None


@dataclass(frozen=True, slots=True)
class Spent:
    """What was counted on one day."""

    jobs: int = 0
    frames: int = 0


class Allowance(Enum):
    """What the guard says about one job."""

    TODAY = "it may be sent"
    TOMORROW = "it waits for the next UTC day"
    NEVER = "it is larger than any day allows: a person must decide"


def ask(limits: Limits, spent: Spent, frames: int) -> tuple[Allowance, str]:
    """Say whether a job of so many frames may be sent today, and why not ('' where it may)."""
    if limits.frames is not None and frames > limits.frames:
        return (
            Allowance.NEVER,
            f"it has {frames:,} frames, more than SUBMIT_LIMIT_FRAMES_PER_DAY ({limits.frames:,}): {HELD}",
        )
    if limits.jobs is not None and spent.jobs >= limits.jobs:
        return Allowance.TOMORROW, f"the day's limit is reached: SUBMIT_LIMIT_JOBS_PER_DAY is {limits.jobs:,}"
    if limits.frames is not None and spent.frames + frames > limits.frames:
        left = max(0, limits.frames - spent.frames)
        return (
            Allowance.TOMORROW,
            f"the day's limit is reached: SUBMIT_LIMIT_FRAMES_PER_DAY is {limits.frames:,}, {left:,} are left",
        )
    return Allowance.TODAY, ""


def is_used_up(limits: Limits, spent: Spent) -> bool:
    """Tell whether no further job at all may be sent today."""
    return ask(limits, spent, 1)[0] is Allowance.TOMORROW


def day_of(moment: datetime) -> str:
    """Return the UTC day as `2026-11-21`."""
    return moment.astimezone(UTC).date().isoformat()


def next_day(moment: datetime) -> datetime:
    """Return the midnight, in UTC, at which the next day begins."""
    midnight = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(days=1)
