"""`backup` beside a running agent, going back to an older copy, and what is not taken for a ledger."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from agent.errors import LedgerRefused, LedgerUnavailable
from agent.host.clock import utc_now
from agent.ledger.copy import back_up
from agent.ledger.store import Ledger
from agent.ledger.units import notice
from agent.model import Kind
from agent.model.units import Sight
from agent.service.loop import Service
from tests.support import Agent, Playment, command, environ, eventually, image, process, query, settings, write

LITESTREAM = (
    "create table _litestream_seq (id integer primary key, seq integer)",
    "create table _litestream_lock (id integer)",
    "insert into _litestream_seq values (1, 1)",
)
"""What litestream adds to every database that it copies (its db.go)."""


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Return a ledger of three jobs that nobody has open."""
    path = tmp_path / "ledger.db"
    with contextlib.closing(Ledger(path, utc_now)) as opened, opened.transaction():
        notice(opened, *(Sight(f"{number}.jpg", Kind.IMAGE, "waits", 1, 10) for number in range(3)))
    return path


def _jobs(path: Path) -> int:
    return int(query(path, "select count(*) as jobs from jobs")[0]["jobs"])


def test_a_copy_is_whole_private_and_alone(tmp_path: Path, ledger: Path) -> None:
    before = os.umask(0)
    try:
        assert back_up(ledger, tmp_path / "copy.db") == 3
    finally:
        os.umask(before)
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    with contextlib.closing(sqlite3.connect(f"{(tmp_path / 'copy.db').as_uri()}?mode=ro", uri=True)) as copy:
        assert copy.execute("pragma journal_mode").fetchone() == ("delete",)
        assert copy.execute("select count(*) from jobs").fetchone() == (3,)
    assert {path.name for path in tmp_path.iterdir()} - {"ledger.db-wal", "ledger.db-shm"} == {"ledger.db", "copy.db"}


def test_nothing_is_replaced_and_nothing_half_is_left(tmp_path: Path, ledger: Path) -> None:
    there = write(tmp_path / "copy.db", b"mine")
    (tmp_path / "link.db").symlink_to(tmp_path / "nowhere")
    for name in ("copy.db", "link.db"):
        with pytest.raises(LedgerRefused, match="is there already, and is not replaced"):
            back_up(ledger, tmp_path / name)
    assert there.read_bytes() == b"mine"
    with pytest.raises(LedgerUnavailable, match="No such file or directory"):
        back_up(ledger, tmp_path / "none" / "copy.db")
    with pytest.raises(LedgerUnavailable, match="there is no ledger at"):
        back_up(tmp_path / "none.db", tmp_path / "other.db")
    with ledger.open("r+b") as file:  # the root pages of its tables
        file.seek(4096)
        file.write(b"\xff" * 4096 * 3)
    with pytest.raises(LedgerUnavailable, match=r"cannot be|not whole"):
        back_up(ledger, tmp_path / "other.db")
    assert {path.name for path in tmp_path.iterdir()} <= {
        "ledger.db",
        "ledger.db-wal",
        "ledger.db-shm",
        "copy.db",
        "link.db",
    }


def test_a_copy_in_the_watch_folder_is_refused(tmp_path: Path, ledger: Path) -> None:
    (tmp_path / "inbox").mkdir()
    with contextlib.closing(Ledger(ledger, utc_now)) as opened, opened.transaction():
        opened.put(watch_dir=str(tmp_path / "inbox"))
    with pytest.raises(LedgerRefused, match="would be served"):
        back_up(ledger, tmp_path / "inbox" / "copy.db")


def test_what_is_written_meanwhile_is_in_it_as_a_whole_or_not_at_all(tmp_path: Path, ledger: Path) -> None:
    stop, written = threading.Event(), threading.Event()

    def writes() -> None:
        with contextlib.closing(Ledger(ledger, utc_now)) as opened:
            for number in range(100_000):
                if stop.is_set():
                    break
                with opened.transaction():  # ten at once
                    notice(opened, *(Sight(f"{number}/{part}.jpg", Kind.IMAGE, "waits", 1, 10) for part in range(10)))
                written.set()

    thread = threading.Thread(target=writes)
    thread.start()
    try:
        assert written.wait(20)
        counts = [back_up(ledger, tmp_path / f"{number}.db") for number in range(5)]
    finally:
        stop.set()
        thread.join()
    assert [count % 10 for count in counts] == [3] * 5
    assert counts == sorted(counts)
    assert [_jobs(tmp_path / f"{number}.db") for number in range(5)] == counts


def test_the_command_beside_a_running_agent(tmp_path: Path) -> None:
    with Playment() as playment, Agent(settings(tmp_path, playment.url)) as agent:
        write(agent.inbox / "a.jpg", image(1))
        agent.becomes("a.jpg", "submitted")
        given = environ(tmp_path, playment.url)
        done = command("backup", "copy.db", environ=given, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"{tmp_path / 'copy.db'}: 1 jobs, ")
        again = command("backup", "copy.db", environ=given, cwd=tmp_path)
        assert (again.returncode, again.stdout) == (2, "")
        assert again.stderr.startswith(f"playment-agent: {tmp_path / 'copy.db'} is there already")
        subprocess.run(["sqlite3", agent.settings.ledger_path, f".backup {tmp_path / 'too.db'}"], check=True)
        write(agent.inbox / "b.jpg", image(2))
        agent.becomes("b.jpg", "submitted")
    assert _jobs(tmp_path / "copy.db") == _jobs(tmp_path / "too.db") == 1


def test_compact_gives_back_what_is_free_and_only_while_no_agent_runs(tmp_path: Path) -> None:
    with Playment() as playment, Agent(settings(tmp_path, playment.url)) as agent:
        given, ledger = environ(tmp_path, playment.url), agent.settings.ledger_path
        write(agent.inbox / "a.jpg", image(1))
        agent.becomes("a.jpg", "submitted")
        refused = command("ledger", "compact", environ=given, cwd=tmp_path)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "is in use by the process" in refused.stderr
    with contextlib.closing(Ledger(ledger, utc_now)) as opened, opened.transaction():
        opened.sql.execute("create table large (content blob)")
        opened.sql.execute("insert into large values (zeroblob(3000000))")
        opened.sql.execute("drop table large")
    before, size = query(ledger, "select * from jobs"), ledger.stat().st_size
    done = command("ledger", "compact", environ=given, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{ledger}: {ledger.stat().st_size / 2**20:.1f} MiB, was {size / 2**20:.1f} MiB\n"
    assert ledger.stat().st_size < 200_000 < 3_000_000 < size
    assert query(ledger, "select * from jobs") == before
    missing = command("ledger", "compact", environ={**given, "LEDGER_PATH": "none.db"}, cwd=tmp_path)
    assert "there is no ledger at" in missing.stderr
    assert not (tmp_path / "none.db.lock").exists()


def test_an_older_copy_sends_nothing_twice(tmp_path: Path) -> None:
    with Playment() as playment:
        chosen = settings(tmp_path, playment.url, IMAGE_FOLDERS="stills")
        inbox, ledger = chosen.watch_dir, chosen.ledger_path
        for number in range(3):
            write(inbox / f"{number}.jpg", image(number))
        write(inbox / "broken.jpg", b"")
        Service(chosen, once=True).run()
        with contextlib.closing(Ledger(ledger, utc_now)) as opened, opened.transaction():
            opened.put(paused="1")
        write(inbox / "waits.jpg", image(10))
        Service(chosen, once=True).run()
        back_up(ledger, tmp_path / "copy.db")
        with contextlib.closing(Ledger(ledger, utc_now)) as opened, opened.transaction():
            opened.put(paused="")
        (inbox / "0.jpg").rename(inbox / "stills.jpg")  # known to the copy under the old name
        write(inbox / "drive" / "f1.jpg", image(20))
        write(inbox / "drive" / "f2.jpg", image(21))
        write(inbox / "stills" / "x.jpg", image(22))
        write(inbox / "broken.jpg", image(30))
        Service(chosen, once=True).run()
        sent = sorted(playment.paths())
        assert len(sent) == len(set(sent)) == 7

        for end in ("", "-wal", "-shm"):
            ledger.with_name(ledger.name + end).unlink(missing_ok=True)
        (tmp_path / "copy.db").rename(ledger)
        with contextlib.closing(Ledger(ledger, utc_now)) as opened, opened.transaction():
            opened.put(paused="")
        assert Service(chosen, once=True).run() == 0
        assert sorted(playment.paths()) == sent
        assert [row["state"] for row in query(ledger, "select distinct state from jobs")] == ["submitted"]
        assert {row["job_id"] for row in query(ledger, "select job_id from jobs")} == {
            job.job_id for job in playment.jobs
        }


def test_litestreams_tables_are_welcome(tmp_path: Path) -> None:
    with Playment() as playment:
        given = settings(tmp_path, playment.url)
        for number in range(2):
            write(given.watch_dir / f"{number}.jpg", image(number))
            assert Service(given, once=True).run() == 0
            if number == 0:
                with contextlib.closing(sqlite3.connect(given.ledger_path)) as sql, sql:
                    for statement in LITESTREAM:
                        sql.execute(statement)
        assert playment.paths() == ["0.jpg", "1.jpg"]
        assert back_up(given.ledger_path, tmp_path / "copy.db") == 2
        assert command("check", environ=environ(tmp_path, playment.url), cwd=tmp_path).stdout.count("is whole") == 1


def test_a_new_file_that_litestream_came_to_first_is_no_other_programs(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as sql, sql:
        for statement in LITESTREAM:
            sql.execute(statement)
    with contextlib.closing(Ledger(tmp_path / "ledger.db", utc_now)) as ledger:
        assert ledger.sql.execute("select count(*) from jobs").fetchone() == (0,)


def test_what_cp_takes_of_a_live_ledger_is_refused(tmp_path: Path) -> None:
    with Playment() as playment:
        given = environ(tmp_path, playment.url)
        write(tmp_path / "inbox" / "a.jpg", image(1))
        with process("run", environ=given, cwd=tmp_path):
            eventually(lambda: playment.paths() == ["a.jpg"])
            copied = shutil.copyfile(tmp_path / "ledger.db", tmp_path / "copied.db")
        content = copied.read_bytes()
        assert content
        for name in ("status", "run", "pause"):
            done = command(name, environ={**given, "LEDGER_PATH": str(copied)}, cwd=tmp_path)
            assert done.returncode == 2, (name, done.stdout, done.stderr)
            assert f"the ledger {copied} holds no tables, as what 'cp' takes" in done.stderr, name
        checked = command("check", environ={**given, "LEDGER_PATH": str(copied)}, cwd=tmp_path)
        assert f"the ledger {copied} holds no tables" in checked.stdout
        assert copied.read_bytes() == content
        assert playment.paths() == ["a.jpg"]


def test_a_first_start_that_was_killed_is_taken_up(tmp_path: Path) -> None:
    made = (
        "import os, pathlib, signal, sys; from agent.host.clock import utc_now\n"
        "from agent.ledger import migrations, store\n"
        "migrations.MIGRATIONS = (lambda _: os.kill(os.getpid(), signal.SIGKILL),)\n"
        "store.Ledger(pathlib.Path(sys.argv[1]), utc_now)"
    )
    path = tmp_path / "ledger.db"
    done = subprocess.run([sys.executable, "-c", made, path], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.stat().st_size > 0
    with contextlib.closing(Ledger(path, utc_now)) as ledger:
        assert ledger.get("version") == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_group_may_read_it() -> None:
    # Not pytest's folder: each session takes away the rights of others to enter that.
    with tempfile.TemporaryDirectory() as folder, Playment() as playment:
        place = Path(folder)
        place.chmod(0o755)
        with Agent(settings(place, playment.url, LEDGER_MODE="640")):
            for end in ("", "-wal", "-shm"):
                file = place / f"ledger.db{end}"
                assert file.stat().st_mode & 0o777 == 0o640
                os.chown(file, 0, GROUP)
            assert _as_reader(place / "ledger.db", "mode=ro") == "0"
        assert _as_reader(place / "ledger.db", "mode=ro").startswith("OperationalError")  # no WAL is there any more
        assert _as_reader(place / "ledger.db", "immutable=1") == "0"


GROUP = 54321
READS = """
import sqlite3, sys
try:
    print(sqlite3.connect(sys.argv[1], uri=True).execute("select count(*) from jobs").fetchone()[0])
except sqlite3.Error as error:
    print(type(error).__name__, error)
"""


def _as_reader(path: Path, how: str) -> str:
    """Return what another user of the group is told."""
    done = subprocess.run(
        ["/usr/bin/python3", "-c", READS, f"file:{path}?{how}"],
        user=GROUP,
        group=GROUP,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    return done.stdout.strip()


def test_the_mode_is_given_to_a_ledger_that_is_there_and_kept_where_none_is_asked_for(ledger: Path) -> None:
    for asked, mode in ((None, 0o600), (0o640, 0o640), (None, 0o640), (0o600, 0o600)):
        with contextlib.closing(Ledger(ledger, utc_now, mode=asked)) as opened:
            opened.put(version="x")
            assert {path.stat().st_mode & 0o777 for path in ledger.parent.glob("ledger.db*")} == {mode}
