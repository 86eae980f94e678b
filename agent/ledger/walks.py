"""Lists by pages: each goes on from a key, and each look reads so many rows at most.

From a key, not from a number: the thousandth page is as fast as the first, and no job is on two. Where what is asked
for is rare, a look ends after MOST rows and says from where to look on.
"""

from __future__ import annotations

import heapq
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from agent.ledger.kept import TROUBLE
from agent.ledger.store import rows_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence

MOST = 5_000
"""Rows that one look reads where few of them are asked for: some 5 ms, with all of them in memory."""
JOB = (
    "id, path, kind, state, reason, error_code, frame_count, bytes, job_id, reference_id, unanswered, attempts, "
    "first_seen_at, submitted_at, completed_at, updated_at, deleted_at"
)
LAST = "~"
"""What comes after every time."""
Key = tuple[str | int, ...]
"""What the last row of a page is told by in its order."""


@dataclass(frozen=True, slots=True)
class Part:
    """A page of a list: its rows, from where it goes on (None at its end), and how many rows were looked at in vain."""

    rows: list[dict[str, Any]]
    after: Key | None
    looked: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs are asked for, '' being any.

    A `folder` is with all below it; a `day` is the UTC day of the last change; a `text` is part of a path or of a
    reference_id, or a job_id.
    """

    state: str = ""
    code: str | None = None
    folder: str = ""
    day: str = ""
    text: str = ""


def troubles(sql: sqlite3.Connection) -> list[dict[str, Any]]:
    """Return how many jobs are in trouble by state and error_code, most first."""
    return rows_of(sql, "select state, error_code, jobs from troubles order by jobs desc, state, error_code")


def troubled(sql: sqlite3.Connection, wanted: Wanted, after: Key | None, limit: int) -> Part:
    """Return jobs in trouble by their last change, newest first. What is wanted as a `text` is not looked at."""
    groups = [
        (row["state"], row["error_code"])
        for row in troubles(sql)
        if wanted.state in ("", row["state"]) and wanted.code in (None, row["error_code"])
    ]
    met = heapq.merge(*(_group(sql, *group, wanted, after or (LAST, 0)) for group in groups), reverse=True)
    keys: list[Key] = []
    last: Key | None = None
    for looked, (at, job, is_wanted) in enumerate(met):
        if len(keys) > limit or looked == MOST:
            break
        last = (at, job)
        keys += [last] if is_wanted else []
    else:
        last = None
    if len(keys) > limit:
        return Part(_rows(sql, keys[:limit]), keys[limit - 1])
    return Part(_rows(sql, keys), last, MOST if last else 0)


def _group(
    sql: sqlite3.Connection, state: str, code: str, wanted: Wanted, after: Key
) -> Iterator[tuple[str, int, bool]]:
    """Yield the times and ids of the jobs in one kind of trouble that come after a key, and whether each is wanted."""
    begin, end = _bounds(wanted.day)
    is_wanted = "(path = ?5 or (path > ?5 || '/' and path < ?5 || '0'))" if wanted.folder else "?5 = ''"
    yield from sql.execute(
        f"select updated_at, id, {is_wanted} from jobs indexed by jobs_trouble where {TROUBLE} "  # noqa: S608 (our words)
        "and state = ?1 and error_code = ?2 and updated_at >= ?3 and updated_at < ?4 and (updated_at, id) < (?6, ?7) "
        "order by updated_at desc, id desc",
        (state, code, begin, end, wanted.folder, *after),
    )


def found(sql: sqlite3.Connection, wanted: Wanted, after: Key | None, limit: int) -> Part:
    """Return jobs, those of a state by their last change, else as they were seen, newest first; a folder's by path."""
    if wanted.folder:
        walks = _below(wanted.folder, after)
    elif wanted.state:
        walks = [
            Walk(
                "jobs indexed by jobs_state where state = :state and (updated_at, id) < (:key0, :key1)",
                ("updated_at", "id"),
                after or (LAST, 0),
                is_down=True,
            )
        ]
    else:
        walks = [Walk("jobs where id < :key0", ("id",), after or (2**62,), is_down=True)]
    return _listed(sql, wanted, walks, limit)


def _below(folder: str, after: Key | None) -> list[Walk]:
    """Return the walks through the jobs of a folder, and through those of all folders below it."""
    order = ("folder", "name", "id")  # the index's own: in a folder the names stand as the paths do
    own = Walk(
        "jobs indexed by jobs_folder where folder = :folder and (name, id) > (:key1, :key2)", order, (folder, "", 0)
    )
    below = Walk(
        "jobs indexed by jobs_folder where folder >= :folder || '/' and folder < :folder || '0' "
        "and (folder, name, id) > (:key0, :key1, :key2)",
        order,
        ("", "", 0),
    )
    if after is None:
        return [own, below]
    return [replace(own, after=after), below] if after[0] == folder else [replace(below, after=after)]


@dataclass(frozen=True, slots=True)
class Walk:
    """A way along an index: where it leads, by what its rows are in order, and after which of them it begins."""

    where: str
    order: tuple[str, ...]
    after: Key
    is_down: bool = False


def _listed(sql: sqlite3.Connection, wanted: Wanted, walks: list[Walk], limit: int) -> Part:
    """Return what is wanted of what is met on some walks, one after the other."""
    begin, end = _bounds(wanted.day)
    values = {
        "state": wanted.state,
        "code": wanted.code,
        "folder": wanted.folder,
        "begin": begin,
        "end": end,
        "text": wanted.text.lower(),
        "most": MOST,
    }
    keys: list[Key] = []
    for walk in walks:
        more = _walked(sql, walk, values, limit + 1 - len(keys), has_text=bool(wanted.text))
        keys += more.keys
        if len(keys) > limit:
            return Part(_rows(sql, keys[:limit]), keys[limit - 1])
        if more.end is not None:
            return Part(_rows(sql, keys), more.end, MOST)
    return Part(_rows(sql, keys), None)


@dataclass(frozen=True, slots=True)
class Walked:
    """What a walk has met of what is wanted, and where it was ended before its own end."""

    keys: list[Key]
    end: Key | None


def _walked(
    sql: sqlite3.Connection, walk: Walk, values: Mapping[str, str | int | None], limit: int, *, has_text: bool
) -> Walked:
    order = ", ".join(f"{name} desc" if walk.is_down else name for name in walk.order)
    names = dict.fromkeys((*walk.order, "state", "error_code", "updated_at"))
    if has_text:
        names |= dict.fromkeys(("path", "reference_id", "job_id"))
    of_text = (
        "(instr(lower(path), :text) or instr(lower(coalesce(reference_id, '')), :text) or lower(job_id) = :text)"
        if has_text
        else "1"
    )
    met = f"select {', '.join(names)} from {walk.where} order by {order} limit :most"  # noqa: S608 (our words)
    given = {**values, "limit": limit, **{f"key{place}": value for place, value in enumerate(walk.after)}}
    # Without an order of its own, for which all would be read first: rows come as they are met.
    keys = sql.execute(
        f"select {', '.join(walk.order)} from ({met}) where (:state = '' or state = :state) "  # noqa: S608 (our words)
        f"and (:code is null or error_code = :code) and updated_at >= :begin and updated_at < :end and {of_text} "
        "limit :limit",
        given,
    ).fetchall()
    if len(keys) == limit:
        return Walked(keys, None)
    end = sql.execute(
        f"select {', '.join(walk.order)} from {walk.where} order by {order} limit 1 offset :most - 1",  # noqa: S608
        given,
    ).fetchone()
    return Walked(keys, end)


def _rows(sql: sqlite3.Connection, keys: Sequence[Key]) -> list[dict[str, Any]]:
    return rows(sql, [int(key[-1]) for key in keys])


def rows(sql: sqlite3.Connection, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return the jobs of some ids, in the same order."""
    found = rows_of(sql, f"select {JOB} from jobs where id in (select value from json_each(?))", json.dumps(ids))  # noqa: S608
    by_id = {row["id"]: row for row in found}
    return [by_id[job] for job in ids if job in by_id]


def _bounds(day: str) -> tuple[str, str]:
    """Return between which times a UTC day lies, those of all time where it is none."""
    try:
        begin = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
        end = begin + timedelta(days=1)
    except (ValueError, OverflowError):
        return "", LAST
    return f"{begin:%Y-%m-%d}", f"{end:%Y-%m-%d}"
