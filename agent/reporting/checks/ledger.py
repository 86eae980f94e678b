"""Tries whether the ledger can be used. What is there is only read, and a ledger is never created."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from datetime import datetime
from typing import TYPE_CHECKING

from agent.errors import LedgerError
from agent.ledger.store import connect, other_world
from agent.reporting.checks import fail, ok, warn
from agent.settings.parts import world_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.reporting.checks import Check
    from agent.settings.settings import Settings

LEDGER = "ledger"
LITTLE_SPACE = 200 * 2**20
ALIVE_SECONDS = 90.0
"""A heartbeat comes every 30 s at least."""


def check_ledger(settings: Settings, wall: float) -> Iterator[Check]:
    """Try its folder, and look into it where it is there; `wall` is the time in seconds since 1970."""
    path = settings.ledger_path
    yield from _place(path)
    if not path.exists() or path.stat().st_size == 0:
        yield ok(LEDGER, f"{path} is not there yet, or is empty: the first run makes it")
        return
    if not os.access(path, os.W_OK):
        yield fail(LEDGER, f"{path} cannot be written by this user: run check as the agent's user, or change its owner")
    try:
        with contextlib.closing(connect(path, read_only=True)) as sql:
            yield from _content(settings, sql, wall)
    except LedgerError as error:
        yield fail(LEDGER, str(error), error.exit_code)
    except sqlite3.Error as error:
        yield fail(LEDGER, f"{path} cannot be read ({error}): restore it from a backup, or move it away")


def _place(path: Path) -> Iterator[Check]:
    folder = path.parent
    try:
        # A file without a name: nothing is left, even after a crash.
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
            file.flush()
    except OSError as error:
        yield fail(
            LEDGER, f"{folder} cannot be written to ({error.strerror}): the folder must be there, writable and not full"
        )
        return
    free = shutil.disk_usage(folder).free
    room = f"{free / 2**30:,.1f} GiB are free in {folder}"
    if free < LITTLE_SPACE:
        yield warn(LEDGER, f"only {room}: nothing is sent that cannot be recorded first, so make room")
    else:
        yield ok(LEDGER, f"{room}, which can be written to")


def _content(settings: Settings, sql: sqlite3.Connection, wall: float) -> Iterator[Check]:
    path = settings.ledger_path
    damage: str = sql.execute("pragma quick_check(1)").fetchone()[0]
    if damage != "ok":
        yield fail(LEDGER, f"{path} is damaged ({damage}): restore it from a backup")
        return
    problem = other_world(sql, world_of(settings))
    if problem:
        yield fail(LEDGER, f"{path} {problem}", 2)
        return
    jobs: int = sql.execute("select coalesce(sum(jobs), 0) from counts").fetchone()[0]
    yield ok(LEDGER, f"{path} is whole, and holds {jobs:,} jobs of these settings")
    yield _running(sql, wall)


def _running(sql: sqlite3.Connection, wall: float) -> Check:
    """Say whether an agent works with this ledger; the lock itself is left alone, so that a start cannot fail of it."""
    agent = dict(sql.execute("select key, value from agent"))
    last = sql.execute(
        "select event from events where event in ('started', 'stopped') order by id desc limit 1"
    ).fetchone()
    if agent.get("blocked"):
        return warn("agent", f"it is blocked: {agent['blocked']}")
    if last is None or last[0] == "stopped":
        return ok("agent", "it is not running")
    age = wall - datetime.fromisoformat(agent["heartbeat_at"]).timestamp()
    if age > ALIVE_SECONDS:
        return warn("agent", f"it has not stopped cleanly: its last heartbeat was at {agent['heartbeat_at']}. Start it")
    paused = "; sending is paused, and 'resume' starts it" if agent.get("paused") else ""
    return ok("agent", f"it is running (pid {agent.get('pid')}){paused}")
