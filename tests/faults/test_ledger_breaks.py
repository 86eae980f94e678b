"""A ledger that cannot be written, read or trusted: one clear sentence, nothing sent that cannot be recorded first."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sqlite3
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.broken_ledger import AGENT, failing, in_namespace, needs_root, query_in, running
from tests.integration.test_service import Systemd
from tests.support import (
    Agent,
    Playment,
    command,
    environ,
    eventually,
    image,
    process,
    query,
    rows,
    run,
    settings,
    write,
)

if TYPE_CHECKING:
    import subprocess

READING = (("status",), ("plan",))
WRITING = (("run",), ("pause",))


def log_of(place: Path) -> str:
    return (place / "agent.log").read_text(errors="replace")


def states(ledger: Path) -> dict[str, int]:
    with contextlib.suppress(sqlite3.Error):
        return {row["state"]: row["jobs"] for row in query(ledger, "select state, jobs from status")}
    return {}


def said_once(told: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """Check that a command said one sentence, with these words, and ended with this code."""
    assert told.returncode == code, told.stdout + told.stderr
    lines = told.stderr.splitlines()
    assert len(lines) == 1, told.stderr
    assert lines[0].startswith("playment-agent: ")
    for word in words:
        assert word in lines[0]


def fill(file: Path) -> None:
    """Write until the disk is full."""
    with contextlib.suppress(OSError), open(file, "wb", buffering=0) as junk:
        while junk.write(bytes(4096)):
            pass


def test_a_full_disk(tmp_path: Path) -> None:
    needs_root("mount a small disk")
    systemd = Systemd(tmp_path / "notify")
    with Playment() as playment, systemd.socket:
        place = tmp_path / "disk"
        place.mkdir()
        surroundings = environ(tmp_path, playment.url, LEDGER_PATH=str(place / "ledger.db"))
        surroundings["NOTIFY_SOCKET"] = str(systemd.path)
        inbox = tmp_path / "inbox"
        start = in_namespace(f"mount -t tmpfs -o size=16m none '{place}'", *AGENT, "run")
        with running(start, environ=surroundings, cwd=tmp_path) as process:
            inside, ledger = Path(f"/proc/{process.pid}/root{place}"), place / "ledger.db"

            def submitted() -> int:
                found = query_in(process.pid, ledger, "select count(*) from jobs where state = 'submitted'")
                return int(found[0][0]) if found else 0

            write(inbox / "before.jpg", image(1))
            eventually(lambda: submitted() == 1)
            for _ in range(8):  # what is freed meanwhile is taken, too
                fill(inside / "junk")
            for number in range(40):
                write(inbox / f"during_{number}.jpg", image(10 + number))
            write(inbox / "drive" / "frame_1.jpg", image(99))
            eventually(lambda: "full" in log_of(tmp_path))
            status = run(
                ["nsenter", "-t", str(process.pid), "-m", *AGENT, "status", "--json"],
                environ=surroundings,
                cwd=tmp_path,
            )
            told = json.loads(status.stdout)
            assert (status.returncode, told["attention_jobs"]) == (1, 1)
            assert [row["error_code"] for row in told["attention"]] == ["disk"]
            assert "is full" in told["attention"][0]["reason"]
            received = {receipt.path for receipt in playment.receipts}
            recorded = {row[0] for row in query_in(process.pid, ledger, "select path from jobs where attempts > 0")}
            assert received <= recorded
            eventually(lambda: any("cannot be written" in text for text in systemd.messages))
            assert log_of(tmp_path).count("ERROR") <= 3, "what lasts is said once a minute"
            (inside / "junk").unlink()
            eventually(lambda: submitted() == 42, 40)
            assert process.poll() is None
            process.terminate()
            assert process.wait(timeout=25) == 0
        assert len(set(playment.paths())) == len(playment.paths()) == 42
    log = log_of(tmp_path)
    assert "Traceback" not in log
    assert "defect" not in log


@pytest.mark.parametrize("error", ["EIO", "ENOSPC", "EROFS"])
def test_a_disk_that_fails_for_a_while(tmp_path: Path, error: str) -> None:
    needs_root("let system calls fail")
    calls = "fsync,fdatasync" if error == "EIO" else "pwrite64"
    with Playment() as playment:
        surroundings = environ(tmp_path, playment.url)
        ledger, inbox = tmp_path / "ledger.db", tmp_path / "inbox"
        with process("run", environ=surroundings, cwd=tmp_path) as agent:
            write(inbox / "before.jpg", image(1))
            eventually(lambda: states(ledger) == {"submitted": 1})
            with failing(agent.pid, calls, error, tmp_path / "strace.log"):
                asked = playment.requests["create_job"]
                write(inbox / "during.jpg", image(2))
                write(inbox / "drive" / "frame_1.jpg", image(3))
                eventually(lambda: "cannot be written" in log_of(tmp_path))
                assert playment.requests["create_job"] == asked
            eventually(lambda: states(ledger) == {"submitted": 3}, 40)
            agent.terminate()
            assert agent.wait(timeout=25) == 0
        assert playment.paths() == ["before.jpg", "drive", "during.jpg"]
    log = log_of(tmp_path)
    assert log.count("cannot be written") == log.count("can be written again") == 1
    assert "Traceback" not in log
    assert "defect" not in log
    with contextlib.closing(sqlite3.connect(ledger)) as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)


def test_an_outcome_that_cannot_be_written_is_kept(tmp_path: Path) -> None:
    needs_root("let system calls fail")
    with Playment(latency=6.0) as playment:  # within it strace has attached
        surroundings = environ(tmp_path, playment.url)
        ledger = tmp_path / "ledger.db"
        write(tmp_path / "inbox" / "a.jpg", image(1))
        with process("run", environ=surroundings, cwd=tmp_path) as agent:
            eventually(lambda: playment.requests["create_job"] == 1)
            with failing(agent.pid, "fsync,fdatasync", "EIO", tmp_path / "strace.log"):
                eventually(lambda: playment.jobs)
                eventually(lambda: "cannot be written" in log_of(tmp_path))
            eventually(lambda: states(ledger) == {"submitted": 1}, 30)
            (row,) = rows(ledger, "a.jpg")
        assert (row["job_id"], row["attempts"]) == (playment.jobs[0].job_id, 1)
        assert playment.requests["create_job"] == 1


def test_a_ledger_on_a_read_only_disk(tmp_path: Path) -> None:
    needs_root("mount a disk read-only")
    with Playment() as playment:
        place = tmp_path / "disk"
        place.mkdir()
        surroundings = environ(tmp_path, playment.url, LEDGER_PATH=str(place / "ledger.db"))
        write(tmp_path / "inbox" / "a.jpg", image(1))
        read_only = partial(in_namespace, f"mount --bind '{place}' '{place}' && mount -o remount,bind,ro '{place}'")
        said_once(run(read_only(*AGENT, "run"), environ=surroundings, cwd=tmp_path), 1, "Read-only file system")
        assert command("run", "--once", environ=surroundings, cwd=tmp_path).returncode == 0
        write(tmp_path / "inbox" / "b.jpg", image(2))
        for arguments in WRITING:
            told = run(read_only(*AGENT, *arguments), environ=surroundings, cwd=tmp_path)
            assert told.returncode == 1, (arguments, told)
            assert len(told.stderr.splitlines()) == 1, told.stderr
        for arguments in READING:
            told = run(read_only(*AGENT, *arguments), environ=surroundings, cwd=tmp_path)
            assert "Traceback" not in told.stderr, (arguments, told.stderr)
        assert playment.paths() == ["a.jpg"]
        assert command("run", "--once", environ=surroundings, cwd=tmp_path).returncode == 0
        assert playment.paths() == ["a.jpg", "b.jpg"]


def garbage(ledger: Path) -> None:
    ledger.write_bytes(os.urandom(40_000))


def torn(ledger: Path) -> None:
    """Overwrite all but the first page, as a disk does that has lost its blocks."""
    content = ledger.read_bytes()
    ledger.write_bytes(content[:4096] + os.urandom(len(content) - 4096))


def short(ledger: Path) -> None:
    ledger.write_bytes(ledger.read_bytes()[:6000])


def another_program(ledger: Path) -> None:
    ledger.unlink()
    with contextlib.closing(sqlite3.connect(ledger)) as connection:
        connection.execute("create table jobs (name text)")


def newer(ledger: Path) -> None:
    with contextlib.closing(sqlite3.connect(ledger)) as connection:
        connection.execute("pragma user_version = 99")


def a_folder(ledger: Path) -> None:
    ledger.unlink()
    ledger.mkdir()


@pytest.mark.parametrize(
    ("spoil", "code", "words"),
    [
        (garbage, None, "not a database"),
        (torn, None, "malformed"),
        (short, None, "malformed"),
        (another_program, None, ""),
        (newer, 2, "newer playment-agent"),
        (a_folder, 2, "folder"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_file_that_is_no_ledger_of_ours(tmp_path: Path, spoil: object, code: int | None, words: str) -> None:
    with Playment() as playment:
        surroundings = environ(tmp_path, playment.url)
        ledger = tmp_path / "ledger.db"
        write(tmp_path / "inbox" / "a.jpg", image(1))
        assert command("run", "--once", environ=surroundings, cwd=tmp_path).returncode == 0
        write(tmp_path / "inbox" / "b.jpg", image(2))
        for side in ("-wal", "-shm"):
            Path(f"{ledger}{side}").unlink(missing_ok=True)
        assert callable(spoil)
        spoil(ledger)
        before = ledger.read_bytes() if ledger.is_file() else b""
        for arguments in (*WRITING, *READING):
            told = run([*AGENT, *arguments], environ=surroundings, cwd=tmp_path)
            assert told.returncode in ((1, 2) if code is None else (code,)), (arguments, told)
            assert "Traceback" not in told.stderr, (arguments, told.stderr)
            assert len(told.stderr.splitlines()) <= 3, (arguments, told.stderr)
            assert words in told.stderr, (arguments, told.stderr)
        # What may be saved by hand is left as it is, and nothing was sent by its side.
        assert (ledger.read_bytes() if ledger.is_file() else b"") == before
        assert playment.paths() == ["a.jpg"]


def test_a_ledger_on_a_network_file_system(tmp_path: Path) -> None:
    needs_root("show a process another table of mounts")
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    place = tmp_path / "share"
    place.mkdir()
    shown = write(tmp_path / "mountinfo", f"{mounts}999 1 0:99 / {place} rw - nfs4 host:/share rw\n".encode())
    with Playment() as playment:
        surroundings = environ(tmp_path, playment.url, LEDGER_PATH=str(place / "ledger.db"))
        write(tmp_path / "inbox" / "a.jpg", image(1))
        start = in_namespace(f"mount --bind '{shown}' /proc/$$/mountinfo", *AGENT, "run", "--once")
        said_once(run(start, environ=surroundings, cwd=tmp_path), 2, "LEDGER_PATH", "network file system (nfs4)")
        assert os.listdir(place) == []
        assert playment.jobs == []


def test_out_of_file_descriptors(tmp_path: Path) -> None:
    with Playment() as playment:
        surroundings = environ(tmp_path, playment.url)
        ledger, inbox = tmp_path / "ledger.db", tmp_path / "inbox"
        with process("run", environ=surroundings, cwd=tmp_path) as agent:
            write(inbox / "before.jpg", image(1))
            eventually(lambda: states(ledger) == {"submitted": 1})
            soft, hard = resource.prlimit(agent.pid, resource.RLIMIT_NOFILE)
            # None is left: nothing can be opened, neither a folder nor a connection.
            resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (3, hard))
            for number in range(5):
                write(inbox / f"during_{number}.jpg", image(10 + number))
            for number in range(3):
                write(inbox / "drive" / f"frame_{number}.jpg", image(20 + number))
            eventually(lambda: log_of(tmp_path).count("cannot be opened: Too many open files") >= 2)
            assert agent.poll() is None
            resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (soft, hard))
            eventually(lambda: states(ledger) == {"submitted": 7}, 40)
            agent.terminate()
            assert agent.wait(timeout=25) == 0
        assert len(playment.jobs) == len(set(playment.paths())) == 7
    assert not query(ledger, "select 1 from events where event = 'invalid'")  # it is not the files' fault
    log = log_of(tmp_path)
    assert "Traceback" not in log
    assert "defect" not in log
    assert log.count("Too many open files") < 40


def test_a_locked_ledger_is_waited_for(tmp_path: Path) -> None:
    # A person's sqlite3 with an open transaction, a backup: it passes.
    with Playment() as playment:
        chosen = settings(tmp_path, playment.url)
        with Agent(chosen) as agent, contextlib.closing(sqlite3.connect(chosen.ledger_path)) as person:
            eventually(lambda: agent.value("past") == "known")  # till then status says that nothing is sent
            person.execute("begin immediate")
            write(tmp_path / "inbox" / "a.jpg", image(1))
            held = command("status", environ=environ(tmp_path, playment.url), cwd=tmp_path)
            assert held.returncode == 0, held.stderr
            assert playment.jobs == []
            person.rollback()
            agent.becomes("a.jpg", "submitted")
