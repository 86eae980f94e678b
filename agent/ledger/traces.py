"""Where the bytes of a unit were before: rows that were sent or dismissed and hold them, elsewhere. Reads only.

Whether they are still there is to be looked at. A sequence is found by the bytes of each of its frames, and by each
that keeps its inode (it was moved, not copied).
"""

from __future__ import annotations

import json
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from agent.core.states import SENT, State
from agent.model import Stamp, shown

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from agent.model import Frame, Unit

DIGITS = 8
"""How many hex digits of a digest the ledger's indexes of frames hold: whoever finds one compares the rest."""
BEGINS = f"substr(digest, 1, {DIGITS})"
JOB_DIGITS = 6
"""The same of the index of jobs: each byte of it is paid a million times, and 16 million jobs differ by so many."""
JOB_BEGINS = f"substr(digest, 1, {JOB_DIGITS})"
IS_INDEXED = "position > 0"
_STATES = ", ".join(f"'{state}'" for state in sorted((*SENT, State.IGNORED)))
TAKEN = f"(jobs.state in ({_STATES}) or jobs.unanswered > 0)"
"""What was sent, may have been, or is to be left alone."""
STARTED_AT = "(select value from agent where key = 'started_at')"
WAITS_SINCE = "(select min(updated_at) from jobs as waits where waits.state = 'settling')"
DELETED_AT = (
    f"case when deleted_at < iif({WAITS_SINCE} < {STARTED_AT}, "
    f"strftime('%Y-%m-%dT%H:%M:%fZ', {WAITS_SINCE}, '-1 day'), {STARTED_AT}) "
    "then '0001-01-01T00:00:00.000Z' else deleted_at end"
)
"""When files were seen deleted: what an earlier run saw is no one change with anything that this one sees.

But it may be with what an earlier run has noticed and this one reads at last; `updated_at` tells since when that could
not be read, a while after it came.
"""
ASKED_TOGETHER = 1000
MOST_SEQUENCES = 64
"""Sequences that are compared frame by frame, the newest ones: thousands may hold the same black frame."""


class Holder(NamedTuple):
    """A sequence that holds, or held, some of a unit's bytes; its files were seen deleted at `deleted_at`."""

    job: int
    path: str
    deleted_at: str | None


class Trace(NamedTuple):
    """A file that holds, or held, the bytes of a `digest`; it was part of a job."""

    job: int
    path: str
    digest: str
    stamp: Stamp
    deleted_at: str | None


def sequences_with(sql: sqlite3.Connection, unit: Unit) -> list[Holder]:
    """Return the newest sequences that were taken with some of a unit's bytes; each is to be compared with it."""
    found: set[int] = set()
    for frames in _pieces(unit):
        digests = json.dumps([frame.digest[:DIGITS] for frame in frames])
        found.update(
            job
            for (job,) in sql.execute(
                "select distinct frames.job from json_each(?1) as digest cross join frame_rows as frames "  # noqa: S608 (our words)
                f"on substr(frames.digest, 1, {DIGITS}) = digest.value and {IS_INDEXED} "
                "union all select seen.job from json_each(?1) as digest cross join seen on first_digest = digest.value",
                (digests,),
            )
        )
        found.update(_by_inode(sql, frames))
    return [
        Holder(*row)
        for row in sql.execute(
            f"select id, path, {DELETED_AT} from jobs where id in (select value from json_each(?)) "  # noqa: S608
            f"and kind = 'sequence' and {TAKEN} order by id desc limit ?",
            (json.dumps([*found]), MOST_SEQUENCES),
        )
    ]


def _by_inode(sql: sqlite3.Connection, frames: list[Frame]) -> Iterator[int]:
    """Yield the jobs that hold a frame's bytes in the very same file; a number is used again after a deletion."""
    found = sql.execute(
        "select job, inode, digest from json_each(?) as file cross join frames on frames.inode = file.value",
        (json.dumps([frame.stamp.inode for frame in frames if frame.stamp.inode]),),
    ).fetchall()
    now = {(frame.stamp.inode, frame.digest) for frame in frames} if found else set()
    yield from (job for job, *file in found if tuple(file) in now)


def images_with(sql: sqlite3.Connection, unit: Unit) -> Iterator[Trace]:
    """Yield the single images that were taken with a unit's bytes, elsewhere; those of one digest follow each other."""
    for frames in _pieces(unit):
        paths: set[str] = set()
        for trace in _traces(
            sql.execute(
                f"select jobs.id, frames.path, jobs.digest, size, mtime_ns, ctime_ns, inode, {DELETED_AT} "  # noqa: S608
                f"from json_each(?) as digest cross join jobs on substr(jobs.digest, 1, {JOB_DIGITS}) = "
                f"substr(digest.value, 1, {JOB_DIGITS}) and jobs.digest = digest.value "
                "join frames on frames.job = jobs.id and position = 0 "
                f"where kind = 'image' and {TAKEN} order by digest.key",
                (json.dumps([*dict.fromkeys(frame.digest for frame in frames)]),),
            )
        ):
            paths = paths or {shown(frame.path) for frame in frames}  # of 100,000 they take time, and few ask for them
            if trace.path not in paths:
                yield trace


def frames_of(sql: sqlite3.Connection, sequence: Holder) -> Iterator[Trace]:
    """Yield the frames of a sequence."""
    return _traces(
        sql.execute(
            "select job, path, digest, size, mtime_ns, ctime_ns, inode, ? from frames where job = ?",
            (sequence.deleted_at, sequence.job),
        )
    )


def _traces(rows: sqlite3.Cursor) -> Iterator[Trace]:
    for job, path, digest, size, mtime_ns, ctime_ns, inode, deleted_at in rows:
        yield Trace(job, path, digest, Stamp(size, mtime_ns, ctime_ns, inode), deleted_at)


def _pieces(unit: Unit) -> Iterator[list[Frame]]:
    """Yield the frames in pieces, by their digests: neighbours lie on the same page of an index.

    Of 100,000 at once the text alone would be 12 MiB.
    """
    frames = sorted(unit.frames, key=attrgetter("digest"))
    for start in range(0, len(frames), ASKED_TOGETHER):
        yield frames[start : start + ASKED_TOGETHER]
