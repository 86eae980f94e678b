"""The commands as processes, beside a real server and a real ledger: what they print, and their exit codes."""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.sending import Clock, Server, refusal
from tests.support import Playment, command, environ, eventually, frames, image, process, query, rows, run, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


OBEYED = 2.0
"""Seconds within which a running agent is promised to obey."""


@pytest.fixture
def server() -> Iterator[Playment]:
    with Playment() as running:
        yield running


def test_once_does_the_whole_job_and_status_tells_of_it(tmp_path: Path, server: Playment) -> None:
    settings = environ(tmp_path, server.url)
    write(tmp_path / "inbox" / "a.jpg", image(1))
    frames(tmp_path / "inbox" / "drive", 3, seed=1)
    planned = command("plan", "--json", environ=settings, cwd=tmp_path)
    assert planned.returncode == 0, planned.stderr
    assert {step["path"] for step in json.loads(planned.stdout)} == {"a.jpg", "drive"}
    assert not (tmp_path / "ledger.db").exists(), "plan makes no ledger"
    done = command("run", "--once", environ=settings, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert server.paths() == ["a.jpg", "drive"]
    told = command("status", "--json", environ=settings, cwd=tmp_path)
    assert told.returncode == 0
    assert json.loads(told.stdout)["status"][0] | {"oldest": "", "newest": ""} == {
        "state": "submitted",
        "jobs": 2,
        "frames": 4,
        "oldest": "",
        "newest": "",
    }
    assert "submitted" in command("explain", "drive", environ=settings, cwd=tmp_path).stdout


@pytest.mark.parametrize("arguments", [["--version"], ["run", "--help"], ["status"], ["plan"], ["nonsense"]])
def test_a_fork_shows_what_an_interpreter_of_its_own_does(tmp_path: Path, arguments: list[str]) -> None:
    settings = environ(tmp_path, "http://127.0.0.1:9")
    forked = command(*arguments, environ=settings, cwd=tmp_path)
    alone = run([sys.executable, "-m", "agent", *arguments], environ=settings, cwd=tmp_path)
    assert (forked.returncode, forked.stdout, forked.stderr) == (alone.returncode, alone.stdout, alone.stderr)


def test_a_refused_key_ends_once_with_3_and_fails_nothing(tmp_path: Path, server: Playment) -> None:
    settings = environ(tmp_path, server.url)
    for number in range(40):
        write(tmp_path / "inbox" / f"{number}.jpg", image(number))
    done = command("run", "--once", environ={**settings, "PLAYMENT_API_KEY": "revoked"}, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert [row["state"] for row in query(tmp_path / "ledger.db", "select distinct state from jobs")] == ["pending"]
    told = command("status", environ=settings, cwd=tmp_path)
    assert told.returncode == 3
    assert "BLOCKED" in told.stdout
    assert "revoked" not in done.stderr + told.stdout, "the key is told nowhere"
    assert command("run", "--once", environ=settings, cwd=tmp_path).returncode == 0
    assert len(server.jobs) == 40


def test_another_world_is_refused_with_what_to_do(tmp_path: Path, server: Playment) -> None:
    settings = environ(tmp_path, server.url)
    write(tmp_path / "inbox" / "a.jpg", image(1))
    assert command("run", "--once", environ=settings, cwd=tmp_path).returncode == 0
    (tmp_path / "other").mkdir()
    for name, value in (
        ("PLAYMENT_PROJECT_ID", "p2"),
        ("PLAYMENT_BASE_URL", "http://127.0.0.1:9"),
        ("WATCH_DIR", str(tmp_path / "other")),
        ("REFERENCE_ID", "{path}"),
    ):
        done = command("run", "--once", environ={**settings, name: value}, cwd=tmp_path)
        assert done.returncode == 2, name
        assert name in done.stderr
        assert "LEDGER_PATH" in done.stderr
        assert (f"'playment-agent rebind {name}' keeps" in done.stderr.replace(", which", "")) is (
            name != "REFERENCE_ID"
        )
        assert "Traceback" not in done.stderr
    assert len(server.jobs) == 1


def test_retry_takes_the_settings_of_its_own_time(tmp_path: Path) -> None:
    """A job that was refused for good was made by no try: what is sent next is not what was frozen then."""
    with Server(Clock()) as server:
        settings = environ(tmp_path, server.url, PLAYMENT_PRIORITY_WEIGHT="10")
        write(tmp_path / "inbox" / "a.jpg", image(1))
        server.answer = lambda _body: refusal(400, "FS_00012")
        assert command("run", "--once", environ=settings, cwd=tmp_path).returncode == 1
        assert rows(tmp_path / "ledger.db", "a.jpg")[0]["state"] == "failed"
        server.answer = lambda _body: None
        changed = {**settings, "PLAYMENT_PRIORITY_WEIGHT": "3", "PLAYMENT_TAG": "cats"}
        assert command("run", "--once", environ=changed, cwd=tmp_path).returncode == 1
        assert not server.jobs, "only a person sends it again"
        assert command("retry", "--code", "FS_00012", environ=changed, cwd=tmp_path).returncode == 0
        assert command("run", "--once", environ=changed, cwd=tmp_path).returncode == 0
        (job,) = server.jobs
        assert (job.tag, job.priority_weight) == ("cats", 3)


def test_orders_are_obeyed_by_a_running_agent(tmp_path: Path, server: Playment) -> None:
    settings = environ(tmp_path, server.url)
    ledger = tmp_path / "ledger.db"
    with process("run", environ=settings, cwd=tmp_path):
        eventually(lambda: ledger.exists() and _value(ledger, "last_scan_at"))
        assert command("pause", environ=settings, cwd=tmp_path).returncode == 0
        told = time.monotonic()
        eventually(lambda: time.monotonic() - told >= OBEYED)
        write(tmp_path / "inbox" / "a.jpg", image(1))
        write(tmp_path / "inbox" / "b.jpg", image(2))
        eventually(lambda: [row["state"] for row in query(ledger, "select state from jobs")] == ["pending"] * 2)
        assert command("dismiss", "a.jpg", environ=settings, cwd=tmp_path).returncode == 0
        assert command("resume", environ=settings, cwd=tmp_path).returncode == 0
        eventually(lambda: rows(ledger, "b.jpg")[0]["state"] == "submitted")
    assert server.paths() == ["b.jpg"]
    assert rows(ledger, "a.jpg")[0]["state"] == "ignored"


def test_a_second_agent_is_refused_with_the_first_ones_pid(tmp_path: Path, server: Playment) -> None:
    settings = environ(tmp_path, server.url)
    with process("run", environ=settings, cwd=tmp_path) as running:
        eventually(lambda: (tmp_path / "ledger.db").exists() and _value(tmp_path / "ledger.db", "last_scan_at"))
        for changed in ({}, {"LEDGER_PATH": str(tmp_path / "second.db")}):
            second = command("run", "--once", environ={**settings, **changed}, cwd=tmp_path)
            assert second.returncode == 2
            assert str(running.pid) in second.stderr
        running.kill()
    assert command("run", "--once", environ=settings, cwd=tmp_path).returncode == 0, "a dead one's lock is no hindrance"


def test_commands_that_read_make_no_ledger(tmp_path: Path) -> None:
    settings = environ(tmp_path, "http://127.0.0.1:9")
    for arguments in (["status"], ["explain", "a.jpg"], ["plan"], ["retry", "a.jpg"], ["resume"], ["reconcile"]):
        done = command(*arguments, environ=settings, cwd=tmp_path)
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "ledger.db").exists(), arguments


def _value(ledger: Path, key: str) -> str:
    try:
        found = query(ledger, "select value from agent where key = ?", key)
    except sqlite3.OperationalError:
        return ""
    return str(found[0]["value"]) if found else ""
