"""What a monitor asks for, in one answer: numbers, no path but the ledger's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.ledger import files, reports
from agent.ledger.counters import counted, has_counters

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a monitor asks for. `jobs` and `frames` are by state, `counters` by name and label.

    `oldest_waiting` is when the unit was noticed that waits longest for the agent, None where none does; `last` which
    the agent did last, start or stop. `path` is the ledger's file.
    """

    agent: Mapping[str, str]
    last: str
    jobs: Mapping[str, int]
    frames: Mapping[str, int]
    attention: int
    oldest_waiting: str | None
    open_sequences: int
    counters: Mapping[tuple[str, str], float]
    path: Path
    wal_bytes: int


def numbers(sql: sqlite3.Connection) -> Numbers:
    """Return what a monitor asks for, also of a ledger that no version with counters has opened."""
    path = Path(sql.execute("select file from pragma_database_list where name = 'main'").fetchone()[0])
    rows = sql.execute("select state, jobs, frames from counts").fetchall()
    return Numbers(
        agent=reports.agent(sql),
        last=reports.last_start_or_stop(sql),
        jobs={state: jobs for state, jobs, _ in rows},
        frames={state: frames for state, _, frames in rows},
        attention=reports.attention_jobs(sql),
        oldest_waiting=_oldest_waiting(sql),
        open_sequences=_open_sequences(sql),
        counters=counted(sql),
        path=path,
        wal_bytes=files.wal_bytes(path),
    )


def _oldest_waiting(sql: sqlite3.Connection) -> str | None:
    """Return when the first of the waiting units was noticed: rows are made in that order, and an index has their ids.

    The rows themselves are not read: a backlog has many.
    """
    row = sql.execute(
        "select first_seen_at from jobs where id = "
        "(select min(id) from jobs indexed by jobs_state where state in ('settling', 'pending', 'submitting'))"
    ).fetchone()
    return row[0] if row else None


def _open_sequences(sql: sqlite3.Connection) -> int:
    index = "indexed by jobs_open" if has_counters(sql) else ""
    asked = f"select count(*) from jobs {index} where state = 'settling' and kind = 'sequence'"  # noqa: S608 (our words)
    (count,) = sql.execute(asked).fetchone()
    return int(count)
