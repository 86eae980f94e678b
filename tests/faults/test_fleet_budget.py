"""Real agents of a fleet keep one rate and one limit of the day, by the times at which the target sees requests.

The long form sends a day of 150 jobs at 20 a second: `python -m tests.soak fleet_budget`.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.faults.test_fleet_agents import count_of, fleet_environ, jobs
from tests.postgres import HOSTS
from tests.soak import LONG
from tests.support import Playment, eventually, image, process, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgres import Shared

PER_SECOND = 20
A_DAY = 150 if LONG else 40
EACH = A_DAY // 2
"""Of four hosts: twice what a day allows."""
SECOND = 1.0
BURST = 0.2
"""Seconds' worth that may be made up for at once."""

pytestmark = pytest.mark.timeout(240)


def test_four_agents_send_what_a_day_allows_and_no_faster_than_one_may(tmp_path: Path, shared: Shared) -> None:
    with Playment() as server, contextlib.ExitStack() as stack:
        places = [tmp_path / name for name in HOSTS]
        limits = {"SUBMIT_JOBS_PER_MINUTE": str(60 * PER_SECOND), "SUBMIT_LIMIT_JOBS_PER_DAY": str(A_DAY)}
        running = []
        for number, place in enumerate(places):
            for file in range(EACH):
                write(place / "inbox" / f"{file}.jpg", image(1000 * number + file))
            given = fleet_environ(place, server, shared, **limits)
            running.append(stack.enter_context(process("run", environ=given, cwd=place)))
        eventually(lambda: put_off(places) == len(places) * EACH - A_DAY, 120.0)
        for each in running:
            each.terminate()
        assert [each.wait(30) for each in running] == [0] * len(places)
        starts = sorted(receipt.at for receipt in server.receipts)
        assert len(starts) == len(server.jobs) == A_DAY
        assert shared.sql("select jobs from fleet.fleet_today") == [A_DAY]
        assert sum(len(jobs(place / "ledger.db")) for place in places) >= A_DAY
        granted = sorted(map(float, shared.sql("select extract(epoch from claimed_at) from fleet.fleet_claims")))
        assert most_in_a_second(granted) <= (1 + BURST) * PER_SECOND
        if LONG:
            print(f"most granted in a second: {most_in_a_second(granted)}, most seen: {most_in_a_second(starts)}")  # noqa: T201 (a soak is watched)


def put_off(places: list[Path]) -> int:
    return sum(count_of(place / "ledger.db", "state = 'pending' and error_code = 'spend'") for place in places)


def most_in_a_second(times: list[float]) -> int:
    return max(sum(begin <= each < begin + SECOND for each in times) for begin in times)
