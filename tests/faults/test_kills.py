"""The real process, killed at random under load with a troubled Playment, then left to finish."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from functools import partial
from typing import TYPE_CHECKING

import pytest

from agent.sandbox import Faults
from tests.soak import LONG
from tests.support import Playment, environ, eventually, frames, image, process, query, write

if TYPE_CHECKING:
    from pathlib import Path

KILLS = 20 if LONG else 4
IMAGES = 300 if LONG else 60
SEQUENCES = 10 if LONG else 3
UNITS = IMAGES + SEQUENCES


@pytest.mark.timeout(600 if LONG else 120)
def test_kills_cost_no_job_and_make_none(tmp_path: Path) -> None:
    rng = random.Random(7)
    faults = Faults(lose_reply=0.15, error_after=0.15, error_before=0.1)
    with Playment(faults=faults, latency=0.02) as server:
        settings = environ(tmp_path, server.url, SUBMIT_WORKERS="4")
        for number in range(IMAGES - 1):
            write(tmp_path / "inbox" / f"{number:03}.jpg", image(number))
        for number in range(SEQUENCES):
            frames(tmp_path / "inbox" / f"drive_{number}", 12, seed=number + 1)
        for _ in range(KILLS):
            before = len(server.receipts)
            wanted = before + rng.randrange(1, 12)
            with process("run", environ=settings, cwd=tmp_path) as running:
                eventually(partial(_has_received, server, wanted, tmp_path), 40.0)
                running.kill()
        server.faults = Faults()
        # Work for the last one: it can be asked to stop only once it listens, and all else may be done already.
        write(tmp_path / "inbox" / "last.jpg", image(IMAGES))
        with process("run", environ=settings, cwd=tmp_path) as running:
            eventually(lambda: _settled(tmp_path, UNITS), 60.0)
            running.terminate()
            assert running.wait(20) == 0
        jobs = server.jobs
    rows = query(tmp_path / "ledger.db", "select reference_id, job_id, state, kind, id from jobs")
    assert {row["state"] for row in rows} == {"submitted"}
    assert len(rows) == len(jobs) == UNITS
    assert {row["reference_id"]: row["job_id"] for row in rows} == {job.reference_id: job.job_id for job in jobs}
    for job in jobs:
        data = job.body["data"]
        assert isinstance(data, dict)
        if "video_data" in data:
            assert [frame["frame_id"] for frame in data["video_data"]["frames"]] == [
                f"frame_{number}.jpg" for number in range(1, 13)
            ]
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as ledger:
        assert ledger.execute("pragma integrity_check").fetchall() == [("ok",)]


def _has_received(server: Playment, wanted: int, place: Path) -> bool:
    return len(server.receipts) >= wanted or _settled(place, UNITS - 1)


def _settled(place: Path, units: int) -> bool:
    """Tell whether so many units have their jobs."""
    try:
        found = query(place / "ledger.db", "select count(*) as jobs from jobs where state = 'submitted'")
    except sqlite3.OperationalError:
        return False
    return bool(found[0]["jobs"] == units)
