"""What is read of one job, to be looked at frame by frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from agent.ledger.store import rows_of
from agent.model import Stamp

if TYPE_CHECKING:
    import sqlite3

_COLUMNS = "position, frame_id, path, size, mtime_ns, ctime_ns, inode, digest, width, height, orientation"


class JobFrame(NamedTuple):
    """A file of a job as it was read; without a `stamp` where it was not, and '' is the `digest` of what could not be.

    `pixels` and `orientation` are None where no whole picture was found, or a version before has read it.
    """

    position: int
    frame_id: str
    path: str
    stamp: Stamp | None
    digest: str
    pixels: tuple[int, int] | None
    orientation: int | None


def job(sql: sqlite3.Connection, number: int) -> dict[str, Any] | None:
    """Return a job's row, None where there is none."""
    rows = rows_of(sql, "select * from jobs where id = ?", number)
    return rows[0] if rows else None


def others_of_path(sql: sqlite3.Connection, number: int, limit: int) -> list[dict[str, Any]]:
    """Return the other jobs of a job's path, newest first: what was sent before, or in its place since."""
    return rows_of(
        sql,
        "select other.id, other.state, other.first_seen_at from jobs join jobs as other on other.path = jobs.path "
        "and other.id <> jobs.id where jobs.id = ? order by other.id desc limit ?",
        number,
        limit,
    )


def events_of(sql: sqlite3.Connection, number: int, limit: int) -> list[dict[str, Any]]:
    """Return a job's last events, newest first."""
    return rows_of(
        sql, "select id, at, event, detail from events where job = ? order by id desc limit ?", number, limit
    )


def job_frames(sql: sqlite3.Connection, number: int, first: int, count: int) -> list[JobFrame]:
    """Return so many of a job's frames from a position on, in order; of an image that has none yet its own path."""
    rows = sql.execute(
        f"select {_COLUMNS} from frames where job = ? and position >= ? order by position limit ?",  # noqa: S608 (names)
        (number, first, count),
    ).fetchall()
    if rows:
        return [
            JobFrame(
                position,
                frame_id,
                path,
                Stamp(*stamp),
                digest or "",
                None if width is None or height is None else (width, height),
                orientation,
            )
            for position, frame_id, path, *stamp, digest, width, height, orientation in rows
        ]
    own = sql.execute(
        "select path from jobs where id = ?1 and kind = 'image' and ?2 = 0 and ?3 > 0 "
        "and not exists (select 1 from frame_rows where job = ?1)",
        (number, first, count),
    ).fetchone()
    return [] if own is None else [JobFrame(0, own[0].rpartition("/")[2], own[0], None, "", None, None)]


def frame_ids(sql: sqlite3.Connection, number: int) -> list[str]:
    """Return the names of a job's frames, in order."""
    return [row[0] for row in sql.execute("select frame_id from frames where job = ? order by position", (number,))]
