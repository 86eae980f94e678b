"""The real process, killed at each named point: whatever was under way, each job is there once in the end."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import sys
from pathlib import Path

import pytest

from agent.sandbox import Faults
from tests.support import Playment, command, environ, frames, image, query, run, write

DRIVER = Path(__file__).with_name("crashing.py")
STATES = ("pending", "submitting", "submitted", "invalid")
POINTS = (
    *(f"{when} commit {state}" for state in STATES for when in ("before", "after")),
    "before create_job",
    "after create_job",
)
ADOPTION = ("before batch_jobs", "after batch_jobs", "before details", "after details")


def crash(point: str, settings: dict[str, str], place: Path) -> None:
    """Run the agent until it dies at the point; it must have come there."""
    done = run([sys.executable, str(DRIVER), point, "run", "--once"], environ=settings, cwd=place)
    assert done.returncode == -signal.SIGKILL, f"{point} was not reached: {done.stderr}"


@pytest.mark.parametrize("point", [*POINTS, *ADOPTION])
def test_a_crash_there_costs_no_job_and_makes_none(tmp_path: Path, point: str) -> None:
    with Playment() as server:
        settings = environ(tmp_path, server.url, SEQUENCE_SETTLE_SECONDS="0.2")
        for number in range(4):
            write(tmp_path / "inbox" / f"{number}.jpg", image(number))
        write(tmp_path / "inbox" / "text.jpg", b"no image")
        frames(tmp_path / "inbox" / "drive", 3, seed=9)
        if point in ADOPTION:  # the lists are asked only where a job is there that the ledger does not know of
            server.faults = Faults(lose_reply=1.0)
            crash("after create_job", settings, tmp_path)
            server.faults = Faults()
        crash(point, settings, tmp_path)
        done = command("run", "--once", environ=settings, cwd=tmp_path)
        assert done.returncode == 1, f"text.jpg needs attention: {done.stderr}"
        assert server.paths() == ["0.jpg", "1.jpg", "2.jpg", "3.jpg", "drive"]
        known = {job.reference_id: job.job_id for job in server.jobs}
    rows = query(tmp_path / "ledger.db", "select path, state, reference_id, job_id from jobs order by path")
    assert {row["path"]: row["state"] for row in rows} == {
        **dict.fromkeys(["0.jpg", "1.jpg", "2.jpg", "3.jpg", "drive"], "submitted"),
        "text.jpg": "invalid",
    }
    assert {row["reference_id"]: row["job_id"] for row in rows if row["job_id"]} == known
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as ledger:
        assert ledger.execute("pragma integrity_check").fetchall() == [("ok",)]
