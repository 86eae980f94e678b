"""What sending reads: which jobs are due, and when the next one is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from agent.ledger.store import iso
from agent.model import Edition, Frame, Job, Kind, Stamp

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Sequence

    from agent.ledger.recent_frames import RecentFrames
    from agent.model.jobs import Terms

COLUMNS = (
    "id, reference_id, path, kind, edition, tag, batch_id, priority_weight, attempts, digest, settled_at, "
    "(select fingerprint from seen where job = id)"
)
FRAMES_TOGETHER = 1000


class Waiting(NamedTuple):
    """A job that is to be sent, or to be looked up first (`is_looked_up`); `frame_ids` are in order."""

    path: str
    kind: Kind
    reason: str
    reference_id: str
    is_looked_up: bool
    frame_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pending job whose turn has come; `frozen` tells whether an earlier intent has fixed what is sent.

    `named` tells whether its frames have the `src` that the settings of this process give them.
    """

    job: Job
    frozen: bool
    named: bool = False


def due(
    sql: sqlite3.Connection,
    now: datetime,
    limit: int,
    exclude: Collection[int],
    terms: Terms,
    *,
    recent: RecentFrames,
    most_frames: int | None = None,
) -> list[Candidate]:
    """Return up to `limit` pending jobs whose time has come, oldest first, but for those in `exclude`.

    Jobs without an intent carry `terms`. Those of more than `most_frames` frames are left where they are. Frames that
    are among the `recent` ones are taken from there.
    """
    rows = sql.execute(
        f"select {COLUMNS} from jobs indexed by jobs_pending "  # noqa: S608
        "where state = 'pending' and lookup is null and next_attempt_at <= ? and (? is null or frame_count <= ?) "
        "order by next_attempt_at, id limit ?",
        (iso(now), most_frames, most_frames, limit + len(exclude)),
    )
    found = list(islice((row for row in rows if row[0] not in exclude), limit))
    return [_candidate(sql, row, terms, recent) for row in found]


def probe(
    sql: sqlite3.Connection, now: datetime, exclude: Collection[int], terms: Terms, *, recent: RecentFrames
) -> Candidate | None:
    """Return the due job by which it is seen whether a remote is back, None where none is.

    Any of those that were not tried yet; else the one whose last try is longest ago. So jobs that fail for reasons of
    their own cannot stand before all others for good, wherever in the queue they are.
    """
    marks = ", ".join("?" * len(exclude))
    row = sql.execute(
        f"select {COLUMNS} from jobs where id = (select id from jobs indexed by jobs_pending "  # noqa: S608
        f"where state = 'pending' and lookup is null and next_attempt_at <= ? and id not in ({marks}) "
        "order by attempts > 0, iif(attempts = 0, random(), 0), next_attempt_at, id limit 1)",
        (iso(now), *exclude),
    ).fetchone()
    return None if row is None else _candidate(sql, row, terms, recent)


def _candidate(sql: sqlite3.Connection, row: Sequence[Any], terms: Terms, recent: RecentFrames) -> Candidate:
    job, reference_id, path, kind, edition, tag, batch_id, weight, attempts, digest, settled_at, seen = row
    frozen = edition is not None
    kept = recent.take(job, path, digest, settled_at)
    return Candidate(
        Job(
            id=job,
            reference_id=reference_id,
            path=path,
            kind=Kind(kind),
            edition=Edition(edition) if frozen else terms.edition,
            tag=tag if frozen else terms.tag,
            batch_id=batch_id if frozen else terms.batch_id,
            priority_weight=weight if frozen else terms.priority_weight,
            frames=tuple(kept or frames_of(sql, job)),
            attempts=attempts,
            seen=seen,
        ),
        frozen,
        named=kept is not None,
    )


def frames_of(sql: sqlite3.Connection, job: int) -> list[Frame]:
    """Return a job's frames in order.

    A thousand come in one row, as JSON: for each row the interpreter's lock is given up and waited for, which beside
    a busy thread takes seven times the processor's time and thirty times as long (measured).
    """
    frames = []
    for (text,) in sql.execute(
        "with recursive piece(first) as (select 0 union all select first + ?2 from piece "
        "where first + ?2 <= (select max(position) from frames where job = ?1)) "
        "select (select json_group_array(json_array("
        "position, frame_id, path, digest, src, size, mtime_ns, ctime_ns, inode, width, height, orientation"
        ")) from frames where job = ?1 and position >= first and position < first + ?2) from piece",
        (job, FRAMES_TOGETHER),
    ):
        frames += [
            Frame(
                position,
                frame_id,
                path,
                Stamp(*stamp),
                digest or "",
                src,
                None if width is None else (width, height),
                turned or 1,
            )
            for position, frame_id, path, digest, src, *stamp, width, height, turned in json.loads(text)
        ]
    return sorted(frames)  # SQLite promises no order within a piece


def waiting(sql: sqlite3.Connection) -> list[Waiting]:
    """Return the pending jobs, in no order."""
    return [
        Waiting(
            path,
            Kind(kind),
            reason,
            reference_id,
            bool(looked_up),
            tuple(frame_id for _, frame_id in sorted(json.loads(frames))),
        )
        for path, kind, reason, reference_id, looked_up, frames in sql.execute(
            "select path, kind, reason, reference_id, lookup is not null, "
            "(select json_group_array(json_array(position, frame_id)) from frames where job = jobs.id) "
            "from jobs where state = 'pending'"
        )
    ]


def next_due(sql: sqlite3.Connection, exclude: Collection[int], *, lookup: bool) -> datetime | None:
    """Return when the next pending job is to be sent (or, with `lookup`, looked up or at), None where none waits."""
    rows = sql.execute(
        f"select id, next_attempt_at from jobs indexed by jobs_{'lookup' if lookup else 'pending'} "  # noqa: S608
        f"where state = 'pending' and lookup is {'not ' if lookup else ''}null order by next_attempt_at limit ?",
        (len(exclude) + 1,),
    )
    soonest = next((at for job, at in rows if job not in exclude), None)
    if lookup:
        (again,) = sql.execute(
            "select min(look_again_at) from jobs indexed by jobs_look_again where look_again_at is not null "
            "and state not in ('pending', 'submitting') and reference_id is not null"
        ).fetchone()
        soonest = min(filter(None, (soonest, again)), default=None)
    return None if soonest is None else datetime.fromisoformat(soonest)
