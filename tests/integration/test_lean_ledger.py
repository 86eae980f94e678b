"""Nothing is kept twice in the ledger, and whoever asks it is answered as before: by the same queries, as fast."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from agent.core.states import State
from agent.host.clock import utc_now
from agent.ledger import jobs, units
from agent.ledger.migrations import MIGRATIONS
from agent.ledger.store import Ledger, iso, milliseconds
from agent.ledger.units import notice
from agent.model import Kind
from agent.model.units import Sight
from tests import older_ledgers
from tests.benchmarks import ledgers as sizes
from tests.integration.test_ledger_readme import TOLD
from tests.integration.test_readme import QUERIES
from tests.sending import START, Clock
from tests.support import environ, process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REFERENCE = "(select reference_id from jobs where id = 20)"
DRIVE = "jobs.path = 'camera_00/2026-11-21/frame_000000100' order by position"
SINCE = {("frames", "width"), ("frames", "height"), ("frames", "orientation")}
"""What 0.1.0 had not."""
DOCUMENTED = {
    name: ", ".join(column for where, column in TOLD if where == name and column and (where, column) not in SINCE)
    for name in ("frames", "batches", "events", "agent", "status", "attention", "recent")
}
JOBS = ", ".join(
    column for (name, column), (_, means) in TOLD.items() if name == "jobs" and column and "internal" not in means
)
SMALL = 300
ANSWERED = [
    f"select {JOBS} from jobs order by id",
    *(f"select {columns} from {name} order by 1, 2" for name, columns in DOCUMENTED.items() if name != "recent"),
    f"select {DOCUMENTED['recent']} from recent",
    *(query.replace("drive", "camera_00/2026-11-21/frame_000000100") for query, _ in QUERIES),
    "select state, count(*) from jobs group by state order by state",
    "select kind, sum(bytes), sum(frame_count) from jobs group by kind order by kind",
    "select * from frames where job = 7",
    "select path, size, digest, src from frames where path = 'camera_07/2026-11-21/frame_000000007.jpg'",
    "select path from frames where path like 'camera_00/%' order by path",
    "select frame_id, count(*) from frames group by frame_id order by frame_id",
    f"select reference_id, position, frame_id, src, mtime_ns, size from jobs join frames on job = id where {DRIVE}",
    "select jobs.path, frames.path, frames.digest from jobs join frames on job = id order by id, position",
    "select jobs.path, count(src), sum(size) from jobs left join frames on frames.job = jobs.id group by jobs.id",
    "select count(*) from frames natural join (select id as job from jobs where kind = 'sequence')",
    "select digest from frames except select digest from jobs order by digest",
    "select event, count(*), max(at), min(at) from events group by event order by event",
    "select at, event, detail from events where job = 100 order by id",
    "select at from events where at > '2023-11-14T22:13:30.000Z' order by id",
    "select path, event, detail from events join jobs on jobs.id = job where event = 'submitted' order by events.id",
    "select strftime('%H:%M', at), julianday(at) from events order by id",
    "select path, (select max(at) from events where job = jobs.id and event = 'submitting') from jobs order by path",
]
"""What people may ask; each is asked of a ledger as 0.1.0 left it, and of what has become of that."""
FAST = [
    f"select * from frames where job = (select id from jobs where reference_id = {REFERENCE})",
    f"select jobs.path, position, src from jobs join frames on frames.job = jobs.id where reference_id = {REFERENCE}",
    f"select jobs.path, src from jobs left join frames on frames.job = jobs.id where reference_id = {REFERENCE}",
    f"select jobs.id, sum(size) from jobs join frames on job = jobs.id where reference_id = {REFERENCE} group by 1",
    "select count(*), max(frames.path) from frames where job = 20",
    "select path, digest from frames where inode = 30000020",
    "select at, event, detail from events where job = 20 order by id",
    f"select event, count(*) from jobs left join events on job = jobs.id where reference_id = {REFERENCE} group by 1",
    "select path, state from jobs where folder = 'camera_00/2026-11-21' and path > 'camera_00/2026-11-21/f'",
    "select * from status",
    "select path, state, reason from attention",
]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a ledger of 0.1.0, which is not to be changed."""
    path = tmp_path_factory.mktemp("old") / "ledger.db"
    older_ledgers.make(path, SMALL)
    return path


@pytest.fixture
def copied(tmp_path: Path, old: Path) -> Path:
    return shutil.copyfile(old, tmp_path / "ledger.db")


@pytest.fixture
def now(copied: Path) -> Iterator[sqlite3.Connection]:
    """What a person asks of the ledger that this version has made of it."""
    Ledger(copied, utc_now).close()
    with contextlib.closing(sqlite3.connect(copied)) as asked:
        yield asked


@pytest.mark.parametrize("query", ANSWERED)
def test_a_query_is_answered_as_before(now: sqlite3.Connection, old: Path, query: str) -> None:
    with contextlib.closing(sqlite3.connect(old)) as before:
        was = before.execute(query)
        names, rows = [column[0] for column in was.description], was.fetchall()
    told = now.execute(query)
    places = [at for at, (column, *_) in enumerate(told.description) if ("frames", column) not in SINCE]
    assert [told.description[at][0] for at in places] == names
    assert [tuple(row[at] for at in places) for row in told.fetchall()] == rows
    assert rows or "from batches" in query


MERGED = {"CO-ROUTINE attention", "SCAN attention"}
"""What merges rows that were looked up, in their order."""


@pytest.mark.parametrize("query", FAST)
def test_a_query_is_looked_up_and_no_table_is_gone_through(now: sqlite3.Connection, query: str) -> None:
    plan = [row[3] for row in now.execute(f"explain query plan {query}")]
    through = {step for step in plan if step.startswith(("SCAN", "MATERIALIZE", "CO-ROUTINE"))} - MERGED
    assert through <= {"SCAN counts", "SCAN counts USING INDEX sqlite_autoindex_counts_1"}, plan


def test_what_readers_of_the_readme_ask_goes_through_no_more_than_it_did(now: sqlite3.Connection, old: Path) -> None:
    with contextlib.closing(sqlite3.connect(old)) as before:
        for query, _ in QUERIES:
            was, told = ([row[3] for row in asked.execute(f"explain query plan {query}")] for asked in (before, now))
            told = [step for step in told if step not in MERGED]
            scans = [sum(step.startswith("SCAN") for step in plan) for plan in (was, told)]
            assert scans[1] <= scans[0], (query, told)
            assert not any(step.startswith(("MATERIALIZE", "CO-ROUTINE")) for step in told) or "recent" in query


def test_a_new_ledger_keeps_nothing_twice_and_shows_all(tmp_path: Path) -> None:
    clock = Clock()
    with contextlib.closing(Ledger(tmp_path / "ledger.db", clock.now)) as ledger:
        sizes._send(partial(sizes._committed, ledger), range(3))
        shown = ledger.sql.execute("select * from frames order by job").fetchall()
        assert [row[:5] for row in shown] == [
            (number + 1, 0, f"frame_{number:09}.jpg", sizes._unit(number).path, 2_000_000) for number in range(3)
        ]
        assert [row[6:8] for row in shown] == [
            (sizes._unit(number).digest, f"https://example.org/inbox/{sizes._unit(number).path}") for number in range(3)
        ]
        assert ledger.sql.execute("select distinct frame_id, path, digest from frame_rows").fetchall() == [(None,) * 3]
        assert ledger.sql.execute("select detail from events where event = 'submitted'").fetchall() == (
            ledger.sql.execute("select job_id from jobs").fetchall()
        )
        assert ledger.sql.execute("select max(length(detail)) from event_log").fetchone() == (len("try 1"),)
        assert ledger.sql.execute("select distinct trying_since, spent_for from jobs").fetchall() == [(None, None)]
        assert ledger.sql.execute("select distinct at from events").fetchall() == [(iso(clock.now()),)]


@pytest.mark.parametrize(
    ("path", "kind", "folder"),
    [
        ("a.jpg", Kind.IMAGE, ""),
        ("drive", Kind.SEQUENCE, "drive"),
        ("a/b c/jpg.jpg", Kind.IMAGE, "a/b c"),
        ("a/b c/jpg.jpg", Kind.SEQUENCE, "a/b c/jpg.jpg"),
        ("aa/aa/aa", Kind.IMAGE, "aa/aa"),
        ("ab/ba", Kind.IMAGE, "ab"),
        ("ü/\\xff/ü", Kind.IMAGE, "ü/\\xff"),
    ],
)
def test_the_folder_and_the_name_are_told_from_the_path(tmp_path: Path, path: str, kind: Kind, folder: str) -> None:
    with contextlib.closing(Ledger(tmp_path / "ledger.db", utc_now)) as ledger, ledger.transaction():
        notice(ledger, Sight(path, kind, "waits", 1, 10))
        assert ledger.sql.execute("select folder from jobs").fetchone() == (folder,)
        ledger.sql.execute(
            "insert into frame_rows (job, position, size, mtime_ns, ctime_ns, inode) values (1,0,1,1,1,1)"
        )
        assert ledger.sql.execute("select frame_id, path from frames").fetchone() == (path.rpartition("/")[2], path)


def test_a_moment_is_cut_off_as_it_is_written() -> None:
    for microseconds in (0, 1, 999, 1000, 123_456, 999_999):
        moment = START.replace(microsecond=microseconds)
        with contextlib.closing(sqlite3.connect(":memory:")) as sql:
            told = sql.execute(
                "select strftime('%Y-%m-%dT%H:%M:%fZ', ? / 1000.0, 'unixepoch')", (milliseconds(moment),)
            )
            assert told.fetchone() == (iso(moment),)


def test_an_image_takes_at_most_850_bytes(tmp_path: Path) -> None:
    count = 4000
    with contextlib.closing(Ledger(tmp_path / "ledger.db", utc_now)) as ledger:
        empty = sizes._size(ledger)
        sizes._send(partial(sizes._committed, ledger), range(count))
        assert ledger.sql.execute("select state, count(*) from jobs").fetchall() == [("submitted", count)]
        assert ledger.sql.execute("select count(src) from frames").fetchone() == (count,)
        assert ledger.sql.execute("select count(*) from events").fetchone() == (3 * count,)
        assert (sizes._size(ledger) - empty) / count <= 850


def test_a_sent_image_that_was_moved_keeps_no_url_of_its_old_path_for_the_next(tmp_path: Path) -> None:
    with contextlib.closing(Ledger(tmp_path / "ledger.db", utc_now)) as ledger, ledger.transaction():
        unit = sizes._unit(1)
        units.write_settled(
            ledger, None, unit, State.PENDING, reference_ids=("r",), reason="", name=lambda _: "old url"
        )
        moved = unit.__class__(
            "b.jpg", unit.kind, (unit.frames[0]._replace(path="b.jpg", frame_id="b.jpg"),), unit.digest
        )
        units._move_path(ledger, moved, 1, ("r2",), None)
        assert ledger.sql.execute("select path, frame_id, src, digest from frames").fetchall() == [
            ("b.jpg", "b.jpg", None, unit.digest)
        ]
        assert ledger.sql.execute("select path, folder, reference_id from jobs").fetchall() == [("b.jpg", "", "r2")]
        assert jobs.recover(ledger) == 0


# The upgrade: it may be killed at any moment, and says that it goes on.

UPGRADE = """
import sys
from pathlib import Path
from agent.host.clock import utc_now
from agent.ledger.store import Ledger
print("begins", flush=True)
Ledger(Path(sys.argv[1]), utc_now, tell=lambda text: print(text, flush=True)).close()
print("done", flush=True)
"""


def _content(path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as sql:
        assert sql.execute("pragma integrity_check").fetchall() == [("ok",)]
        assert sql.execute("pragma foreign_key_check").fetchall() == []
        return [*sql.iterdump(), str(sql.execute("pragma user_version").fetchone())]


def _killed_after(path: Path, seconds: float) -> float | None:
    """Open a ledger in another process, and kill that so long after it has begun.

    Return how long it took where it was ready by then, else None.
    """
    with subprocess.Popen([sys.executable, "-c", UPGRADE, path], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "begins\n"
        started = time.monotonic()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(seconds)
        took = time.monotonic() - started
        child.kill()
        return took if child.stdout.read().endswith("done\n") else None


@pytest.mark.timeout(240)
def test_an_upgrade_that_is_killed_at_any_moment_ends_as_one_that_is_not(tmp_path: Path) -> None:
    older_ledgers.make(tmp_path / "old.db", 20_000)
    undisturbed = shutil.copyfile(tmp_path / "old.db", tmp_path / "undisturbed.db")
    lasts = _killed_after(undisturbed, 60)
    assert lasts is not None
    expected = _content(undisturbed)
    moments, kills = random.Random(15), 0
    for attempt in range(40):
        path = shutil.copyfile(tmp_path / "old.db", tmp_path / "killed.db")
        took = _killed_after(path, moments.uniform(0, lasts))
        if took is not None:
            lasts = took  # this machine is not as busy any more
            continue
        kills += 1 + (_killed_after(path, moments.uniform(0, lasts)) is None)
        assert _killed_after(path, 60) is not None
        assert _content(path) == expected, attempt
        if kills >= 8:
            return
    raise AssertionError(f"only {kills} kills came in time")


def test_two_processes_may_take_the_steps_at_once(tmp_path: Path) -> None:
    older_ledgers.make(tmp_path / "ledger.db", 2000)
    with contextlib.ExitStack() as stack:
        both = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", UPGRADE, tmp_path / "ledger.db"], stdout=subprocess.PIPE, text=True
                )
            )
            for _ in range(2)
        ]
        said = [process.communicate(timeout=60)[0] for process in both]
    assert [text.splitlines()[-1] for text in said] == ["done", "done"]
    assert _content(tmp_path / "ledger.db")[-1] == f"({len(MIGRATIONS)},)"


def test_columns_that_others_have_added_are_kept(copied: Path) -> None:
    with contextlib.closing(sqlite3.connect(copied)) as sql, sql:
        sql.execute("alter table jobs add column format text")
        sql.execute("update jobs set format = 'F' || id")
    with contextlib.closing(Ledger(copied, utc_now)) as ledger:
        assert ledger.sql.execute("select count(*) from jobs where format = 'F' || id").fetchone() == (SMALL,)


def test_systemd_is_told_that_the_upgrade_goes_on(tmp_path: Path) -> None:
    older_ledgers.make(tmp_path / "ledger.db", 20_000)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(60)
        given = environ(tmp_path, "http://127.0.0.1:9", NOTIFY_SOCKET=str(tmp_path / "notify"))
        told: list[str] = []
        with process("run", environ=given, cwd=tmp_path) as running:
            while not told or told[-1] != "READY=1":
                told.append(systemd.recv(4096).decode())
            running.send_signal(signal.SIGTERM)
    assert len(told) >= 6
    for message in told[:-1]:
        extended, status = message.splitlines()
        assert extended == "EXTEND_TIMEOUT_USEC=300000000"
        assert status.startswith("STATUS=bringing the ledger up to date, step ")
    assert os.path.getsize(tmp_path / "ledger.db") > 0
