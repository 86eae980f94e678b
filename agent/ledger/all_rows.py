"""Rows by the name of each column, all that there are, for who shows a whole ledger: the demo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3


def jobs(sql: sqlite3.Connection) -> list[dict[str, Any]]:
    """Return every job, oldest first."""
    return _rows(sql, "select * from jobs order by id")


def events_after(sql: sqlite3.Connection, event: int) -> list[dict[str, Any]]:
    """Return what became of jobs after an event, in order, each with the job's path and kind."""
    return _rows(
        sql,
        "select events.id, event, detail, path, kind from events join jobs on jobs.id = job "
        "where events.id > ? order by events.id",
        event,
    )


def sources(sql: sqlite3.Connection, limit: int) -> list[str]:
    """Return where the first frames were published."""
    return [row["src"] for row in _rows(sql, "select src from frames where src is not null limit ?", limit)]


def _rows(sql: sqlite3.Connection, query: str, *values: object) -> list[dict[str, Any]]:
    from sqlite_utils import Database  # noqa: PLC0415 - 8 MiB, with NumPy 13: who asks nothing of this needs none of it

    return list(Database(sql).query(query, values))
