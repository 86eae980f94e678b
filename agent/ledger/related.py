"""What is planned for a settled unit, and what with: the rows of its path, its content, its very files. Reads only."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agent.core.plan import KnownRow, best_twin, decide
from agent.core.states import SENT, State
from agent.model import Kind, Stamp, folder_of, shown

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterator

    from agent.core.plan import IdRules
    from agent.model import Action, Frame, Unit

MOVABLE = (*SENT, State.PENDING, State.FAILED, State.IGNORED, State.HELD)
"""States of rows that a moved unit may take along; the others have nothing that is worth keeping."""

MOST_TWINS = 64
ASKED_TOGETHER = 1000


def plan(sql: sqlite3.Connection, unit: Unit, rules: IdRules, vanished: Collection[int]) -> Action:
    """Decide about a settled unit from what the ledger knows; `vanished` are ids of rows whose files are not there.

    These may be rows of the same content, or rows of another kind of unit that one of its files was moved from.
    """
    moved_from = best_twin([row for row in same_content(sql, unit) if row.id in vanished], unit) if vanished else None
    other_kind = of_other_kind(sql, unit)
    if other_kind is None and moved_from is None and vanished:
        marks = ", ".join("?" * len(vanished))
        rows = rows_where(sql, f"id in ({marks}) and kind <> ?", (*vanished, unit.kind))
        other_kind = rows[0] if rows else None
    return decide(unit, known(sql, unit.path, unit.kind), rules, other_kind=other_kind, moved_from=moved_from)


def known(sql: sqlite3.Connection, path: str, kind: Kind) -> list[KnownRow]:
    """Return the rows of a path and kind, oldest first, with their frames' names and digests."""
    folder = folder_of(path, kind)
    return rows_where(sql, "folder = ? and path = ? and kind = ?", (shown(folder), shown(path), kind))


def same_content(sql: sqlite3.Connection, unit: Unit) -> list[KnownRow]:
    """Return rows elsewhere of the same content and kind; whether their files are still there is to be looked at.

    At most `MOST_TWINS`, and those of the very same file (its inode: it was renamed) beside them: where thousands of
    files hold the same bytes, each of them would else look at each.
    """
    if unit.digest is None:
        return []
    others = rows_where(
        sql, "digest = ? and kind = ? and path <> ?", (unit.digest, unit.kind, shown(unit.path)), MOST_TWINS
    )
    if len(others) == MOST_TWINS and unit.frames[0].stamp.inode:
        others += rows_where(
            sql,
            "id in (select job from frames where inode = ? and position = 0) and digest = ? and kind = ? and path <> ?",
            (unit.frames[0].stamp.inode, unit.digest, unit.kind, shown(unit.path)),
        )
    return [row for row in {row.id: row for row in others}.values() if row.state in MOVABLE]


def of_other_kind(sql: sqlite3.Connection, unit: Unit) -> KnownRow | None:
    """Return a sent or ignored row that covers the unit's files as another kind of unit."""
    states = ", ".join(f"'{state}'" for state in (*SENT, State.IGNORED))
    if unit.kind is Kind.IMAGE:
        where, values = "folder = ?1 and path = ?1 and kind = 'sequence'", (shown(unit.folder),)
    else:
        where, values = "folder = ?1 and kind = 'image'", (shown(unit.folder),)
    rows = rows_where(sql, f"id = (select id from jobs where {where} and state in ({states}) limit 1)", values)  # noqa: S608
    return rows[0] if rows else None


def files_of_other_kind(sql: sqlite3.Connection, unit: Unit) -> Iterator[tuple[int, str, int]]:
    """Yield (row, old path, inode) of the unit's very files that were sent or dismissed as another kind of unit.

    A file that was moved keeps its inode; whether it is still at its old path is to be looked at.
    """
    states = (*SENT, State.IGNORED)
    marks = ", ".join("?" * len(states))
    for start in range(0, len(unit.frames), ASKED_TOGETHER):  # of 100,000 at once the text alone would be 12 MiB
        frames = unit.frames[start : start + ASKED_TOGETHER]
        found = sql.execute(
            "select jobs.id, frames.path, frames.inode, frames.digest from json_each(?) as file "  # noqa: S608 (marks)
            "cross join frames on frames.inode = file.value join jobs on jobs.id = frames.job "
            f"where kind <> ? and state in ({marks})",
            (json.dumps([*{frame.stamp.inode for frame in frames} - {0}]), unit.kind, *states),
        ).fetchall()
        now: dict[int, list[Frame]] = {}
        for frame in frames if found else ():
            now.setdefault(frame.stamp.inode, []).append(frame)
        # What else must be equal is asked of those few that are found: text for every frame would cost twice the time.
        for job, path, inode, digest in found:
            if any(frame.digest == digest and shown(frame.path) != path for frame in now[inode]):
                yield job, path, inode


def images_of_other_kind(sql: sqlite3.Connection, unit: Unit) -> Iterator[tuple[int, str, Stamp]]:
    """Yield (row, old path, stamp) of a sequence's files without an inode that were sent or dismissed as single images.

    There they are told by content, size and time of modification: a file that was moved keeps all three.
    """
    states = (*SENT, State.IGNORED)
    marks = ", ".join("?" * len(states))
    frames = {frame.digest: frame for frame in unit.frames if not frame.stamp.inode and unit.kind is Kind.SEQUENCE}
    digests = [*frames]
    for start in range(0, len(digests), ASKED_TOGETHER):
        for job, path, digest, *stamp in sql.execute(
            "select jobs.id, frames.path, jobs.digest, size, mtime_ns, ctime_ns, inode "  # noqa: S608 (marks)
            "from json_each(?) as file cross join jobs on jobs.digest = file.value "
            f"join frames on frames.job = jobs.id where kind = 'image' and state in ({marks})",
            (json.dumps(digests[start : start + ASKED_TOGETHER]), *states),
        ).fetchall():
            if Stamp(*stamp)[:2] == frames[digest].stamp[:2]:
                yield job, path, Stamp(*stamp)


def first_frame(sql: sqlite3.Connection, job: int) -> tuple[str, Stamp] | None:
    """Return the path and stamp of a job's first file."""
    row = sql.execute(
        "select path, size, mtime_ns, ctime_ns, inode from frames where job = ? and position = 0", (job,)
    ).fetchone()
    return (row[0], Stamp(*row[1:])) if row else None


def rows_where(sql: sqlite3.Connection, where: str, values: tuple[object, ...], most: int = -1) -> list[KnownRow]:
    """Return rows of `jobs` as planning needs them, oldest first, and at most so many (-1: all)."""
    rows = sql.execute(
        f"select id, path, kind, state, digest, unanswered from jobs where {where} order by id limit ?",  # noqa: S608
        (*values, most),
    ).fetchall()
    return [
        KnownRow(
            job,
            path,
            Kind(kind),
            State(state),
            digest,
            unanswered,
            tuple(sql.execute("select frame_id, digest from frames where job = ? order by position", (job,)))
            if kind == Kind.SEQUENCE
            else (),
        )
        for job, path, kind, state, digest, unanswered in rows
    ]
