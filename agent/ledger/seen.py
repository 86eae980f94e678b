"""What detection reads: the rows that a listing is compared with. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.core.fingerprints import fingerprint
from agent.core.states import NOTED, UNREAD, UNSENT, State
from agent.model import Entry, Kind, Stamp, basename, shown
from agent.model.units import UnitKey

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterator

    from agent.model import File

STATE = f"case when state = 'held' and error_code in {UNREAD} then 'settling' else state end"
"""What is held unread is looked at again as soon as nothing is wrong any more."""

ASKED_TOGETHER = 1000

Seen = tuple[State, Stamp | bytes | None]
"""A unit's newest row: its state, and what its files looked like when they were read (None: not read)."""


@dataclass(frozen=True, slots=True)
class Span:
    """The paths after `after` up to and with `upto`, by the order of their UTF-8 bytes; all of them where not given.

    Any blob is more than any text for SQLite (datatype3.html, 4.1).
    """

    after: str = ""
    upto: str | bytes = b""

    @property
    def bounds(self) -> tuple[str, str, str | bytes]:
        """What `IN_SPAN` asks for."""
        return self.after, basename(self.after), self.upto if isinstance(self.upto, bytes) else basename(self.upto)


IN_SPAN = "jobs.path > ? and jobs.name >= ? and jobs.name <= ?"
"""By names, as the index on `folder` has them; a sequence, which has none, is at the beginning of its folder."""


def images_in(sql: sqlite3.Connection, folder: str, span: Span) -> dict[str, Seen]:
    """Return the newest row of every single image of a span of a folder, by path; one query, however many there are.

    Rows whose files were seen deleted are left out: what is there now is looked at as if it were new.
    """
    looks: dict[str, Seen] = {}
    for path, state, *stamp in sql.execute(
        f"select jobs.path, {STATE}, size, mtime_ns, ctime_ns, inode from jobs "  # noqa: S608 (our words)
        "left join frames on frames.job = jobs.id and position = 0 "
        f"where folder = ? and {IN_SPAN} and kind = 'image' and deleted_at is null order by jobs.id",
        (shown(folder), *span.bounds),
    ):
        known = looks.get(path)
        if state != State.GONE or known is None or known[0] is State.GONE:
            looks[path] = (State(state), None if stamp[0] is None else Stamp(*stamp))
    return looks


def newest(sql: sqlite3.Connection, unit: UnitKey) -> Seen | None:
    """Return a unit's newest row, those that are not gone before those that are; None where there is none.

    As in `images_in`, a row whose files were seen deleted is none.
    """
    row = sql.execute(
        f"select id, {STATE}, fingerprint from jobs left join seen on job = id "  # noqa: S608 (our words)
        "where path = ? and kind = ? and deleted_at is null order by state = 'gone', id desc limit 1",
        (shown(unit.path), unit.kind),
    ).fetchone()
    if row is None:
        return None
    if row[2] is not None:
        return State(row[1]), row[2]
    entries = [
        Entry(basename(path), Stamp(*stamp))
        for path, *stamp in sql.execute(
            "select path, size, mtime_ns, ctime_ns, inode from frames where job = ? order by position", (row[0],)
        )
    ]
    if not entries:
        return State(row[1]), None
    return State(row[1]), entries[0].stamp if unit.kind is Kind.IMAGE else fingerprint(entries)


def files_like(sql: sqlite3.Connection, unit: UnitKey, count: int, size: int) -> list[File]:
    """Return how the files of a unit's newest row looked, none where they are not so many, or not of that size."""
    row = sql.execute(
        "select id, frame_count, bytes from jobs where path = ? and kind = ? order by state = 'gone', id desc limit 1",
        (shown(unit.path), unit.kind),
    ).fetchone()
    if row is None or row[1:] != (count, size):
        return []
    found = sql.execute("select path, size, mtime_ns, ctime_ns, inode from frames where job = ?", (row[0],))
    return [(basename(path), *stamp) for path, *stamp in found]


def unsent_in(sql: sqlite3.Connection, folder: str, span: Span) -> list[UnitKey]:
    """Return the units of a span of a folder that are `gone` where its listing does not show them."""
    return _in_states(sql, folder, span, UNSENT)


def listed_in(sql: sqlite3.Connection, folder: str, span: Span) -> list[UnitKey]:
    """Return these, and the units that were sent or dismissed and whose files were not seen deleted."""
    return _in_states(sql, folder, span, UNSENT | NOTED)


def _in_states(sql: sqlite3.Connection, folder: str, span: Span, states: Collection[State]) -> list[UnitKey]:
    marks = ", ".join("?" * len(states))
    return [
        UnitKey(path, Kind(kind))
        for path, kind in sql.execute(
            f"select distinct path, kind from jobs where folder = ? and {IN_SPAN} "  # noqa: S608 (marks)
            f"and state in ({marks}) and deleted_at is null",
            (shown(folder), *span.bounds, *states),
        )
    ]


def unsent(sql: sqlite3.Connection) -> list[UnitKey]:
    """Return all units that are `gone` where they are not there."""
    marks = ", ".join("?" * len(UNSENT))
    rows = sql.execute(f"select path, kind from jobs where state in ({marks})", tuple(UNSENT))  # noqa: S608 (marks)
    return [UnitKey(path, Kind(kind)) for path, kind in rows]


def folders_below(sql: sqlite3.Connection, folder: str) -> list[str]:
    """Return the folders at and below `folder` that hold rows."""
    return [
        name
        for (name,) in sql.execute(
            "select distinct folder from jobs where folder = ?1 or (folder > ?1 || '/' and folder < ?1 || '0')",
            (shown(folder),),
        )
    ]


def folders(sql: sqlite3.Connection) -> Iterator[str]:
    """Yield the folders that hold rows, but for the watch folder itself.

    By a seek for each: going through all rows takes as long as there are many.
    """
    last = ""
    while True:
        found = sql.execute(
            "with recursive next (folder) as (select min(folder) from jobs where folder > ?1 union all "
            "select (select min(folder) from jobs where jobs.folder > next.folder) from next where folder is not null "
            "limit ?2) select folder from next where folder is not null",
            (last, ASKED_TOGETHER),
        ).fetchall()
        yield from (folder for (folder,) in found)
        if len(found) < ASKED_TOGETHER:
            return
        last = found[-1][0]


def unreadable(sql: sqlite3.Connection) -> set[UnitKey]:
    """Return the units that wait since they could not be read."""
    found = "select path, kind from jobs where +state = 'settling' and error_code = 'unreadable'"
    return {UnitKey(path, Kind(kind)) for path, kind in sql.execute(found)}


def settling(sql: sqlite3.Connection) -> list[UnitKey]:
    """Return the units that wait to be settled."""
    return [
        UnitKey(path, Kind(kind)) for path, kind in sql.execute("select path, kind from jobs where state = 'settling'")
    ]
