"""A short year: a month with all its troubles, in which every drop is paid for exactly once; and that it can fail.

The long form is `python -m tests.soak year`, which prints a table.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.soak import LONG
from tests.year import judging
from tests.year.__main__ import why_not
from tests.year.calendar import LANES, MONTHS, SHORT, Trouble, schedule
from tests.year.judging import Month
from tests.year.people import Drop

MISSING = why_not()
MONTH = Month(
    drops=240,
    paid=240,
    outages=3,
    restarts=2,
    kills=2,
    rss_mib=52.0,
    open_files=25,
    wal_mib=4.0,
    bytes_a_job=1700.0,
    log_lines=500,
)
ROW = {"path": "a.jpg", "state": "submitted", "reason": "", "reference_id": "a.jpg~1", "job_id": "J1"}


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
@pytest.mark.timeout(3600 if LONG else 300)
def test_a_year() -> None:
    lived = subprocess.run(
        [sys.executable, "-m", "tests.year", *(["--months=12"] if LONG else ["--months=0", "--seed=4"])],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=3500 if LONG else 280,
        check=False,
    )
    print(lived.stdout)  # noqa: T201 (what it was like: for a person who asks with -s)
    assert lived.returncode == 0, lived.stdout + lived.stderr


@pytest.mark.parametrize("months", [MONTHS, SHORT], ids=["long", "short"])
def test_every_month_has_all_its_troubles_and_they_are_over_before_it_is(months: tuple[int, ...]) -> None:
    for seed in range(50):
        begins = schedule(months, random.Random(seed))
        first = 0
        for number, days in enumerate(months, start=1):
            of_month = {day: begins[day] for day in range(first, first + days) if day in begins}
            named = Counter(begin.trouble for each in of_month.values() for begin in each)
            wanted = Counter({trouble: times for lane in LANES for trouble, (times, _) in lane.items()})
            if number % 6 == 0:
                wanted[Trouble.KEY_REFUSED] = wanted.pop(Trouble.KEY_EXPIRED)
            assert named == wanted
            for day, each in of_month.items():
                assert all(first < day <= begin.until < first + days for begin in each)
            first += days


def test_a_month_that_is_too_short() -> None:
    with pytest.raises(ValueError, match="too few"):
        schedule((10,), random.Random(1))


def test_what_is_not_exactly_once_is_told() -> None:
    drops = [Drop("a.jpg", "1", 0), Drop("copy.jpg", "1", 0), Drop("b.jpg", "2", 3), Drop("cut.jpg", "3", 4, 0, 0)]
    assert [*judging.exactly_once(drops, {"1": 2, "2": 1})] == []
    told = [*judging.exactly_once(drops, {"1": 1, "2": 2, "3": 1, "4": 1})]
    assert [each.split(":")[0] for each in told] == [
        "lost",
        "paid too often",
        "paid too often",
        "paid for what nobody dropped",
    ]


def test_what_is_at_no_end_is_told() -> None:
    assert [*judging.all_ended([ROW, {**ROW, "state": "held", "reason": "the file's content changed"}])] == []
    for state in ("settling", "pending", "submitting", "held", "invalid", "failed"):
        assert len([*judging.all_ended([{**ROW, "state": state}])]) == 1


def test_a_job_that_the_ledger_does_not_know_is_told() -> None:
    assert [*judging.all_known([ROW], {"a.jpg~1": "J1"})] == []
    assert len([*judging.all_known([ROW], {"a.jpg~1": "J2", "b.jpg~2": "J3"})]) == 2


@pytest.mark.parametrize("grown", [{"rss_mib": 60.0}, {"open_files": 40}, {"bytes_a_job": 1900.0}, {"log_lines": 5000}])
def test_what_grew_is_told(grown: dict[str, float]) -> None:
    year, larger = [MONTH] * 12, [replace(MONTH, **grown)] * 2  # type: ignore[arg-type]
    assert [*judging.flat(year)] == []
    assert len([*judging.flat([*year[:-2], *larger])]) == 1
    assert [*judging.flat([*larger, *year[2:]])] == []
    assert [*judging.flat([*larger, *year[2:-2], *larger][:11])] == [], "less than a year tells nothing"


def test_a_large_wal_is_told() -> None:
    assert [*judging.bounded({"at the end": 0.0, "later": 8.0})] == []
    assert len([*judging.bounded({"at the end": 8.1})]) == 1
