"""`reconcile`: the ledger against Playment's own lists, over a real socket and as the command."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from agent.host.clock import utc_now
from agent.ledger.store import Ledger
from tests.support import Playment, command, environ, frames, image, query, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def playment() -> Iterator[Playment]:
    with Playment() as sandbox:
        yield sandbox


@pytest.fixture
def sent(tmp_path: Path, playment: Playment) -> dict[str, str]:
    """Two images and a sequence, submitted; the settings they were submitted with."""
    settings = environ(tmp_path, playment.url)
    for number in (1, 2):
        write(tmp_path / f"inbox/{number}.jpg", image(number))
    frames(tmp_path / "inbox/cam", 3, seed=7)
    done = command("run", "--once", environ=settings, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return settings


def reconciled(settings: dict[str, str], place: Path, *options: str) -> tuple[int, list[dict[str, Any]]]:
    done = command("reconcile", "--json", *options, environ=settings, cwd=place)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def tamper(place: Path, sql: str) -> None:
    with contextlib.closing(sqlite3.connect(place / "ledger.db")) as connection:
        connection.execute(sql)
        connection.commit()


def test_it_says_that_both_agree(tmp_path: Path, sent: dict[str, str]) -> None:
    assert reconciled(sent, tmp_path) == (0, [])
    done = command("reconcile", environ=sent, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "the ledger and Playment's lists agree\n")


def test_it_finds_each_kind_of_difference_and_changes_nothing(
    tmp_path: Path, sent: dict[str, str], playment: Playment
) -> None:
    tamper(tmp_path, "update jobs set reference_id = 'lost~1' where path = '1.jpg'")
    tamper(tmp_path, "update jobs set job_id = 'wrong' where path = '2.jpg'")
    tamper(tmp_path, "update jobs set frame_count = 5, batch_id = 'elsewhere' where path = 'cam'")
    before = query(tmp_path / "ledger.db", "select * from jobs")
    code, found = reconciled(sent, tmp_path)
    assert code == 1
    assert sorted((each["what"], each["path"], each["here"]) for each in found) == [
        ("batch", "cam", "elsewhere"),
        ("extra", "", ""),
        ("frames", "cam", "5"),
        ("job_id", "2.jpg", "wrong"),
        ("missing", "1.jpg", next(job.job_id for job in playment.jobs if job.reference_id.startswith("1.jpg"))),
    ]
    assert query(tmp_path / "ledger.db", "select * from jobs") == before


def test_adopt_takes_over_what_is_there_but_never_other_frames(
    tmp_path: Path, sent: dict[str, str], playment: Playment
) -> None:
    tamper(tmp_path, "update jobs set job_id = 'wrong', batch_id = 'elsewhere' where path = '2.jpg'")
    tamper(tmp_path, "update jobs set frame_count = 5, job_id = 'wrong' where path = 'cam'")
    tamper(tmp_path, "update jobs set state = 'failed', job_id = null where path = '1.jpg'")
    code, found = reconciled(sent, tmp_path, "--adopt")
    assert code == 1
    assert {(each["what"], each["path"]): each["adopted"] for each in found} == {
        ("unsent", "1.jpg"): True,
        ("job_id", "2.jpg"): True,
        ("batch", "2.jpg"): True,
        ("frames", "cam"): False,
        ("job_id", "cam"): False,
    }
    known = {job.reference_id: job.job_id for job in playment.jobs}
    for row in query(tmp_path / "ledger.db", "select * from jobs where kind = 'image'"):
        assert (row["state"], row["job_id"]) == ("submitted", known[row["reference_id"]])
    assert len(playment.jobs) == 3


def test_a_job_that_is_not_provably_ours_is_told_and_never_adopted(tmp_path: Path, sent: dict[str, str]) -> None:
    tamper(tmp_path, "update jobs set state = 'duplicate', job_id = null, digest = 'other' where path = '1.jpg'")
    code, found = reconciled(sent, tmp_path, "--adopt")
    assert (code, [(each["what"], each["adopted"]) for each in found]) == (1, [("unsent", False)])
    assert query(tmp_path / "ledger.db", "select state from jobs where path = '1.jpg'") == [{"state": "duplicate"}]


def test_a_page_of_jobs_costs_one_call(tmp_path: Path, sent: dict[str, str], playment: Playment) -> None:
    with contextlib.closing(Ledger(tmp_path / "ledger.db", utc_now)) as ledger, ledger.transaction():
        ledger.sql.execute("delete from frame_rows")
        ledger.sql.execute("delete from event_log")
        ledger.sql.execute("delete from jobs")
    before = playment.requests
    code, found = reconciled(sent, tmp_path)
    assert (code, len(found)) == (1, 3)
    assert dict(playment.requests - before) == {"details": 1, "batch_jobs": 1}
