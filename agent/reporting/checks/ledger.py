"""Tries whether the ledger can be used. What is there is only read, and a ledger is never created."""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from agent.core.life import Life, life
from agent.errors import LedgerError, LedgerUnreadable
from agent.ledger.reads import Reads
from agent.reporting.checks import fail, ok, warn
from agent.settings.parts import world_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.reporting.checks import Check
    from agent.settings.settings import Settings

LEDGER = "ledger"
LITTLE_SPACE = 200 * 2**20


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
        with Reads.open(path) as reads:
            yield from _content(settings, reads, wall)
    except LedgerUnreadable as error:
        yield fail(LEDGER, f"{path} cannot be read ({error}): restore it from a backup, or move it away")
    except LedgerError as error:
        yield fail(LEDGER, str(error), error.exit_code)


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


def _content(settings: Settings, reads: Reads, wall: float) -> Iterator[Check]:
    path = settings.ledger_path
    damage = reads.damage()
    if damage:
        yield fail(LEDGER, f"{path} is damaged ({damage}): restore it from a backup")
        return
    problem = reads.other_world(world_of(settings))
    if problem:
        yield fail(LEDGER, f"{path} {problem}", 2)
        return
    jobs = sum(reads.standing().jobs.values())
    yield ok(LEDGER, f"{path} is whole, and holds {jobs:,} jobs of these settings")
    if why := reads.agent().get("paused_why"):
        yield warn(LEDGER, f"sending is paused: {why}")
    yield _running(reads, wall)


def _running(reads: Reads, wall: float) -> Check:
    """Say whether an agent works with this ledger; the lock itself is left alone, so that a start cannot fail of it."""
    agent = reads.agent()
    if agent.get("blocked"):
        return warn("agent", f"it is blocked: {agent['blocked']}")
    alive = life(agent, reads.last_start_or_stop(), datetime.fromtimestamp(wall, UTC))
    if alive in {Life.NEVER_RAN, Life.STOPPED}:
        return ok("agent", "it is not running")
    if alive is Life.SILENT:
        return warn("agent", f"it has not stopped cleanly: its last heartbeat was at {agent['heartbeat_at']}. Start it")
    paused = "; sending is paused, and 'resume' starts it" if agent.get("paused") else ""
    return ok("agent", f"it is running (pid {agent.get('pid')}){paused}")
