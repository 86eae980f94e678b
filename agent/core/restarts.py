"""Does a folder's numbering begin again? Then its names do not tell which frame came first. Pure."""

from __future__ import annotations

from itertools import islice
from operator import sub

from agent.core.name_dates import DAY, seconds_of_day

_CIRCLES = (2**16, 2**32)
"""Where counters of machines begin again, beside powers of ten."""

_SMALLEST_CIRCLE = 1000
_LEAST_HOLE = 10
"""Steps: a smaller hole is where frames are missing."""


def begins_again(numbers: list[int], width: int) -> str | None:
    """Return a sentence where numbers, rising and each once, look like a counter or a clock that began again.

    It goes on from its highest number (9999) to its lowest (0 or 1) and leaves out what is between. `width` is how many
    digits all of them have, 0 where they differ.
    """
    if len(numbers) < 2 or max(map(sub, islice(numbers, 1, None), numbers)) < _LEAST_HOLE:
        return None
    low, high = numbers[0], numbers[-1]
    for circle in (10 ** len(str(high)), *_CIRCLES):
        if high < circle and circle >= _SMALLEST_CIRCLE and _goes_round(numbers, circle):
            return f"the numbering seems to begin again after {high} with {low}"
    clock = seconds_of_day(numbers) if width == 6 else None
    if clock is None:
        return None
    if _goes_round(clock, DAY):
        return "their names hold times of day that seem to go on past midnight"
    half = sorted(time % (DAY // 2) for time in clock)
    if clock[0] >= 3600 and clock[-1] < 13 * 3600 and _hole(clock, DAY // 4) and not _hole(half, DAY // 100):
        return "their names hold times that seem to be of a 12-hour clock"
    return None


def _goes_round(numbers: list[int], circle: int) -> bool:
    """Tell whether numbers in small steps leave out one part of a circle, and their end is as near to their start."""
    *others, _ = _steps(numbers)
    largest = max(others, default=1)
    is_closed = numbers[0] + circle - numbers[-1] <= 2 * largest
    return is_closed and largest <= circle // 100 and _hole(numbers, circle // 100)


def _hole(numbers: list[int], least: int) -> bool:
    """Tell whether one step is by far the largest, and leaves out so many numbers."""
    *others, largest = _steps(numbers)
    return largest >= max(least, _LEAST_HOLE * max(others, default=1))


def _steps(numbers: list[int]) -> list[int]:
    return sorted(map(sub, islice(numbers, 1, None), numbers))
