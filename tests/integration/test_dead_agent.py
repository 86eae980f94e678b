"""A dead agent is not fine, and one that was stopped is: `status` tells them apart, by its first line and exit code."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from agent.ledger.reads import Reads
from agent.service.loop import Service
from tests.support import Playment, command, environ, eventually, process, query, settings, used_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server() -> Iterator[Playment]:
    with Playment() as running:
        yield running


def ended_by(number: int, place: Path, surroundings: dict[str, str], *, minutes: float) -> None:
    """Run an agent until a signal ends it, and have its last heartbeat be some minutes old."""
    with process("run", environ=surroundings, cwd=place) as running:
        eventually(lambda: "watches" in (place / "agent.log").read_text())
        running.send_signal(number)
        running.wait(20)
    ages(place, minutes)


def ages(place: Path, minutes: float) -> None:
    beat = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()
    with contextlib.closing(sqlite3.connect(place / "ledger.db")) as sql, sql:
        sql.execute("update agent set value = ? where key = 'heartbeat_at'", (beat,))


def test_a_dead_agent_is_said_first_and_a_stopped_one_is_fine(tmp_path: Path, server: Playment) -> None:
    surroundings = environ(tmp_path, server.url)
    used_ledger(tmp_path)
    ended_by(signal.SIGKILL, tmp_path, surroundings, minutes=2.5)
    assert command("status", environ=surroundings, cwd=tmp_path).returncode == 0, "it may be starting again"
    ages(tmp_path, 3.5)
    told = command("status", environ=surroundings, cwd=tmp_path)
    assert told.returncode == 1
    assert told.stdout.startswith("NO SIGN OF LIFE: the agent (pid "), told.stdout
    told = command("status", "--json", environ=surroundings, cwd=tmp_path)
    assert (told.returncode, next(iter(json.loads(told.stdout).items()))) == (1, ("life", "silent"))
    (tmp_path / "agent.log").unlink()
    ended_by(signal.SIGTERM, tmp_path, surroundings, minutes=600)
    told = command("status", environ=surroundings, cwd=tmp_path)
    assert told.returncode == 0
    assert ", stopped: last heartbeat 10 h ago" in told.stdout
    assert json.loads(command("status", "--json", environ=surroundings, cwd=tmp_path).stdout)["life"] == "stopped"


def test_a_ledger_without_a_run_is_fine(tmp_path: Path, server: Playment) -> None:
    surroundings = environ(tmp_path, server.url)
    assert command("baseline", environ=surroundings, cwd=tmp_path).returncode == 0
    told = command("status", environ=surroundings, cwd=tmp_path)
    assert (told.returncode, "has not run yet" in told.stdout) == (0, True)
    assert json.loads(command("status", "--json", environ=surroundings, cwd=tmp_path).stdout)["life"] == "never ran"


class Broken(Service):
    """An agent with a defect."""

    def _tell(self) -> None:
        raise RuntimeError("a defect")


def test_an_agent_that_dies_of_a_defect_was_not_stopped(tmp_path: Path, server: Playment) -> None:
    broken = settings(tmp_path, server.url)
    with pytest.raises(RuntimeError, match="a defect"):
        Broken(broken).run()
    with Reads.open(broken.ledger_path) as reads:
        assert reads.last_start_or_stop() == "started"
    assert not query(broken.ledger_path, "select 1 from events where event = 'stopped'")
