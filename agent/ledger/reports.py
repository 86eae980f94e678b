"""Every read for people: how it stands, what waits for them, and why one unit is where it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlite_utils import Database

from agent.core.states import ATTENTION, WAITING, State
from agent.ledger import spend
from agent.ledger.store import connect, iso

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping
    from pathlib import Path

SENT_STATES = (State.SUBMITTED, State.COMPLETED)


@dataclass(frozen=True, slots=True)
class Counts:
    """How it stands: jobs by state, and the sums that a person asks for first."""

    jobs: Mapping[str, int]

    @property
    def submitted(self) -> int:
        """Jobs that Playment has."""
        return sum(self.jobs.get(state, 0) for state in SENT_STATES)

    @property
    def waiting(self) -> int:
        """Jobs that the agent will move on by itself."""
        return sum(self.jobs.get(state, 0) for state in WAITING)

    @property
    def attention(self) -> int:
        """Jobs that wait for a person."""
        return sum(self.jobs.get(state, 0) for state in ATTENTION)

    def __str__(self) -> str:
        return f"{self.submitted:,} submitted, {self.waiting:,} waiting, {self.attention:,} need attention"


def standing(sql: sqlite3.Connection) -> Counts:
    """Return the jobs by state, from the counts that triggers keep."""
    return Counts(dict(sql.execute("select state, jobs from counts where jobs > 0")))


def spend_notice(sql: sqlite3.Connection, now: datetime) -> str:
    """Return the sentence about the spend limit that is reached now, '' where none is."""
    return spend.notice(
        dict(sql.execute("select key, value from agent where key in ('spend_limit', 'spend_limit_until')")), now
    )


@dataclass(frozen=True, slots=True)
class Report:
    """What the `status` command shows; each row is a mapping of column names to values."""

    status: list[dict[str, Any]]
    attention: list[dict[str, Any]]
    attention_jobs: int
    agent: dict[str, str]
    submitted_last_hour: int
    submitted_last_day: int


def report(path: Path, now: datetime, limit: int = 20) -> Report:
    """Read a ledger for `status`, with up to `limit` rows that wait for a person. Raises LedgerUnavailable."""
    database = Database(connect(path, read_only=True))
    try:
        return Report(
            status=list(database.query("select * from status")),
            attention=list(database.query("select * from attention limit ?", [limit])),
            attention_jobs=standing(database.conn).attention,
            agent=dict(database.execute("select key, value from agent")),
            submitted_last_hour=_submitted_since(database, now - timedelta(hours=1)),
            submitted_last_day=_submitted_since(database, now - timedelta(days=1)),
        )
    finally:
        database.close()


def _submitted_since(database: Database, since: datetime) -> int:
    """Count what was submitted since; the index on state and time serves it."""
    (count,) = database.execute(
        "select count(*) from jobs where state in ('submitted', 'completed') and updated_at >= ?1 "
        "and submitted_at >= ?1",
        [iso(since)],
    ).fetchone()
    return int(count)


def rows_of(path: Path, name: str, folder: str) -> list[dict[str, Any]]:
    """Return all rows of a unit, newest first, each with its events: for `explain`. Raises LedgerUnavailable.

    `name` is a path or a reference_id; a frame's path finds its folder's rows where `folder` is its folder.
    """
    database = Database(connect(path, read_only=True))
    try:
        rows = list(
            database.query(
                "select * from jobs where path = ?1 or reference_id = ?1 or (kind = 'sequence' and path = ?2) "
                "order by id desc",
                [name, folder],
            )
        )
        for row in rows:
            row["events"] = list(
                database.query("select at, event, detail from events where job = ? order by id", [row["id"]])
            )
        return rows
    finally:
        database.close()
