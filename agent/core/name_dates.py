"""Dates and times of day in frames' names: where the order of the names is not that of the times. Pure.

Year, month, day, hours of 24 sort as they are. A day before its month, a month by its name, hours of 12 do not.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DAY = 86_400

_MONTHS = {
    name: at
    for at, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)
}
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_FORMS = (
    re.compile(rf"(?<!\d)(?P<day>\d\d?)(?P<mark>[-._ ])(?P<month>\d\d?)(?P=mark){_YEAR}(?!\d)"),
    re.compile(rf"(?<!\d)(?P<day>\d\d)(?P<month>\d\d){_YEAR}(?:\d{{4}}|\d{{6}}|\d{{9}})?(?!\d)"),
    re.compile(rf"(?<!\d)(?P<day>\d\d?)[-._ ]?(?P<month>{'|'.join(_MONTHS)})[a-z]*[-._ ]?{_YEAR}(?!\d)"),
    re.compile(rf"(?P<month>{'|'.join(_MONTHS)})[a-z]*[-._ ]?(?P<day>\d\d?)[-._, ]+{_YEAR}(?!\d)"),
    re.compile(rf"(?<!\d){_YEAR}[-._ ]?(?P<month>{'|'.join(_MONTHS)})[a-z]*[-._ ]?(?P<day>\d\d?)(?!\d)"),
)
_CLOCK_12 = re.compile(r"(?<!\d)(\d\d?)[-.:_h ](\d\d)(?:[-.:_m ](\d\d))?[^\da-z]*([ap])\.?m(?![a-z])")
_SHORT_YEAR = re.compile(r"(?<!\d)\d\d([-._])\d\d\1\d\d[-._, t]+\d\d([-._:h ])\d\d(?:[-._:m ]\d\d)?(?!\d)")
_ENDS_WITH_TIME = re.compile(
    r"(?:19|20)\d\d[-_.]?\d\d[-_.]?\d\d(?:[-_.t ]|, | at )?\d\d[-_.:h ]?\d\d[-_.:m ]?\d\ds?z?$"
)


class Dated(NamedTuple):
    """What dates in names say of their order: `doubt` is a sentence; `is_open`: they can be read in two ways."""

    doubt: str | None = None
    is_open: bool = False


def may_be_dated(name: str) -> bool:
    """Tell whether a name, as it is read, holds a date or time that does not sort as it is."""
    return any(form.search(name) for form in (*_FORMS, _CLOCK_12, _SHORT_YEAR))


def dated(ordered: Iterable[str]) -> Dated:
    """Compare the order of names, given as they are read, with that of the dates and times in them."""
    names = [*ordered]
    for form in _FORMS:
        if form.search(names[0]) and (found := _by_dates(names, form)):
            return found
    if _falls(names):
        return Dated("their names hold times of a 12-hour clock (am, pm), which do not sort as they were")
    return Dated(is_open=all(map(_SHORT_YEAR.search, names)))


def _by_dates(ordered: Sequence[str], form: re.Pattern[str]) -> Dated | None:
    """Compare with dates of one form; None where not all names hold one."""
    found = [match for name in ordered if (match := form.search(name))]
    if len(found) < len(ordered):
        return None
    readings = [
        [reading(*match.group("day", "month", "year")) for match in found] for reading in (_day_first, _month_first)
    ]
    dates = [[date for date in reading if date] for reading in readings]
    valid = [reading for reading in dates if len(reading) == len(ordered)]
    if not valid:
        return None
    fits = [all(before <= after for before, after in pairwise(reading)) for reading in valid]
    if any(fits):
        return Dated(is_open=not all(fits))
    return Dated(f"their names hold dates that do not sort as they are ({found[0][0]}, {found[-1][0]})")


def _day_first(day: str, month: str, year: str) -> tuple[int, int, int] | None:
    number = _MONTHS.get(month[:3]) or (int(month) if month.isdigit() else 0)
    return (int(year), number, int(day)) if 1 <= number <= 12 and 1 <= int(day) <= 31 else None


def _month_first(day: str, month: str, year: str) -> tuple[int, int, int] | None:
    return _day_first(month, day, year) if month.isdigit() else None


def _clock_12(name: str) -> tuple[str, int] | None:
    """Return what stands before a time of a 12-hour clock, and its seconds of the day."""
    match = _CLOCK_12.search(name)
    if match is None or not 1 <= int(match[1]) <= 12:
        return None
    hours = int(match[1]) % 12 + (12 if match[4] == "p" else 0)
    return name[: match.start()], (hours * 60 + int(match[2])) * 60 + int(match[3] or 0)


def _falls(names: Sequence[str]) -> bool:
    """Tell whether a time of a 12-hour clock falls from one name to the next while the text before it is the same."""
    times = [_clock_12(name) for name in names]
    return any(one and after and one[0] == after[0] and one[1] > after[1] for one, after in pairwise(times))


def ends_with_time(text: str) -> bool:
    """Tell whether a name, or the beginning of one, ends in a date and a time of day: more may follow of one second."""
    return _ENDS_WITH_TIME.search(text) is not None


def is_calendar(numbers: Iterable[int], width: int) -> bool:
    """Tell whether numbers, all of so many digits, are dates or times of day, which jump where a minute ends."""
    if width == 6:
        clocks = [*numbers]
        return clocks[0] // 100 != clocks[-1] // 100 and all(map(_is_clock, clocks))
    if width not in (8, 12, 14, 17):
        return False
    return all(_is_date(int(text[:8])) and _is_clock(int(text[8:14].ljust(6, "0"))) for text in map(str, numbers))


def _is_clock(number: int) -> bool:
    return number < 240_000 and number % 10_000 < 6_000 and number % 100 < 60


def _is_date(number: int) -> bool:
    return 1900 <= number // 10_000 < 2100 and 1 <= number // 100 % 100 <= 12 and 1 <= number % 100 <= 31


def seconds_of_day(numbers: Iterable[int]) -> list[int] | None:
    """Return numbers of six digits, HHMMSS, as seconds of the day; None where one is no time."""
    found = []
    for number in numbers:
        if not _is_clock(number):
            return None
        found.append(number // 10_000 * 3600 + number // 100 % 100 * 60 + number % 100)
    return found
