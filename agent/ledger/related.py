"""What is planned for a settled unit, and what with: the rows of its path, its content, its very files. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.plan import Before, KnownRow, LeftBehind, best_twin, decide, may_have_moved, noticed
from agent.core.states import SENT, State
from agent.ledger import past
from agent.ledger.traces import DELETED_AT, JOB_BEGINS, JOB_DIGITS
from agent.model import Kind, Stamp, shown

if TYPE_CHECKING:
    import sqlite3

    from agent.core.reference_id import IdRules
    from agent.model import Action, Unit

MOVABLE = (*SENT, State.PENDING, State.FAILED, State.IGNORED, State.HELD)
"""States of rows that a moved unit may take along; the others have nothing that is worth keeping."""

MOST_TWINS = 64
NOTHING_LEFT = LeftBehind()

NOTICED_AT = (
    "iif(state = 'settling', min(updated_at, coalesce((select max(at) from events where events.job = jobs.id "
    "and event = 'settling'), first_seen_at)), updated_at)"
)
"""When a unit that settles was noticed: `updated_at` tells since when it cannot be read, where it cannot."""


def plan(sql: sqlite3.Connection, unit: Unit, rules: IdRules, left: LeftBehind = NOTHING_LEFT) -> Action:
    """Decide about a settled unit from what the ledger knows, and from what is not at its old place any more."""
    rows = known(sql, unit.path, unit.kind)
    left_ids = left.gone | left.replaced
    twins = [row for row in same_content(sql, unit) if row.id in left_ids] if left_ids else []
    moved_from = best_twin([row for row in twins if may_have_moved(row, left, noticed(rows))], unit)
    count = len(unit.frames)
    before = Before(tuple((row, count) for row in reversed(twins)), count) if twins else _parts(sql, left)
    other_kind = of_other_kind(sql, unit)
    if other_kind is None and before is not None and before.rows[0][0].kind is not unit.kind:
        other_kind = before.rows[0][0]
    listed = past.of_this_unit(sql, unit, rules) or left.listed
    return decide(unit, rows, rules, other_kind=other_kind, moved_from=moved_from, before=before, listed=listed)


def _parts(sql: sqlite3.Connection, left: LeftBehind) -> Before | None:
    """Return what a unit has taken over in parts."""
    if not left.parts:
        return None
    ids = ", ".join(str(part.row) for part in left.parts)
    rows = {row.id: row for row in rows_where(sql, f"id in ({ids})", (), with_frames=False)}
    return Before(tuple((rows[part.row], part.frames) for part in left.parts), left.frames)


def known(sql: sqlite3.Connection, path: str, kind: Kind) -> list[KnownRow]:
    """Return the rows of a path and kind, oldest first, with their frames' names and digests."""
    return rows_where(sql, "path = ? and kind = ?", (shown(path), kind))


def noticed_at(sql: sqlite3.Connection, unit: Unit) -> str | None:
    """Return when a unit that settles was noticed, None where that is not written."""
    rows = rows_where(
        sql,
        "path = ? and kind = ? and state = 'settling'",
        (shown(unit.path), unit.kind),
        with_frames=False,
    )
    return noticed(rows)


def same_content(sql: sqlite3.Connection, unit: Unit) -> list[KnownRow]:
    """Return rows elsewhere of the same content and kind; whether their files are still there is to be looked at.

    At most `MOST_TWINS`, and those of the very same file (its inode: it was renamed) beside them: where thousands of
    files hold the same bytes, each of them would else look at each.
    """
    if unit.digest is None:
        return []
    others = rows_where(
        sql,
        f"{JOB_BEGINS} = ? and digest = ? and kind = ? and path <> ?",
        (unit.digest[:JOB_DIGITS], unit.digest, unit.kind, shown(unit.path)),
        MOST_TWINS,
    )
    if len(others) == MOST_TWINS and unit.frames[0].stamp.inode:
        others += rows_where(
            sql,
            "id in (select job from frame_rows where inode = ? and position = 0) "
            "and digest = ? and kind = ? and path <> ?",
            (unit.frames[0].stamp.inode, unit.digest, unit.kind, shown(unit.path)),
        )
    return [row for row in {row.id: row for row in others}.values() if row.state in MOVABLE]


def of_other_kind(sql: sqlite3.Connection, unit: Unit) -> KnownRow | None:
    """Return a sent or ignored row that covers the unit's files as another kind of unit, and was not seen deleted."""
    states = ", ".join(f"'{state}'" for state in (*SENT, State.IGNORED))
    if unit.kind is Kind.IMAGE:
        where, values = "path = ?1 and kind = 'sequence'", (shown(unit.folder),)
    else:
        where, values = "folder = ?1 and kind = 'image'", (shown(unit.folder),)
    taken = f"(state in ({states}) or (state = 'failed' and unanswered > 0))"
    first = f"select id from jobs where {where} and {taken} and deleted_at is null limit 1"  # noqa: S608 (our words)
    rows = rows_where(sql, f"id = ({first})", values)
    return rows[0] if rows else None


def first_frame(sql: sqlite3.Connection, job: int) -> tuple[str, Stamp] | None:
    """Return the path and stamp of a job's first file."""
    row = sql.execute(
        "select path, size, mtime_ns, ctime_ns, inode from frames where job = ? and position = 0", (job,)
    ).fetchone()
    return (row[0], Stamp(*row[1:])) if row else None


def rows_where(
    sql: sqlite3.Connection, where: str, values: tuple[object, ...], most: int = -1, *, with_frames: bool = True
) -> list[KnownRow]:
    """Return rows of `jobs` as planning needs them, oldest first, and at most so many (-1: all)."""
    rows = sql.execute(
        f"select id, path, kind, state, digest, unanswered, {NOTICED_AT}, {DELETED_AT}, job_id "  # noqa: S608 (our words)
        f"from jobs where {where} order by id limit ?",
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
            if kind == Kind.SEQUENCE and with_frames
            else (),
            *others,
        )
        for job, path, kind, state, digest, unanswered, *others in rows
    ]
