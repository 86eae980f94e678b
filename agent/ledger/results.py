"""What is written of annotations: that a job is over, and where its result is; and what is read to find them.

Each function that writes runs inside a transaction of its caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from agent.core.retry import RESULT
from agent.core.states import State
from agent.ledger.store import iso
from agent.model.jobs import FailedJob, SentJob

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from datetime import datetime

    from agent.ledger.store import Ledger


@dataclass(frozen=True, slots=True)
class Completed:
    """A completed job whose result is not here yet; `fetches` counts the tries that failed.

    `image` is the frame_id of an image's job, '' for a sequence.
    """

    id: int
    path: str
    job_id: str
    digest: str
    fetches: int
    image: str


@dataclass(slots=True)
class Over:
    """What was not known before: how many jobs are completed, and (path, reason) of those that have failed."""

    completed: int
    failed: list[tuple[str, str]]


FRAMES_TOGETHER = 1000


class FrameSize(NamedTuple):
    """How large a frame is stored and how it is turned to be seen; None where a version before has read it."""

    frame_id: str
    width: int | None
    height: int | None
    orientation: int | None


def open_batches(sql: sqlite3.Connection) -> dict[str | None, int]:
    """Return how many submitted jobs each batch has; None stands for the project's default batch."""
    return dict(
        sql.execute("select batch_id, count(*) from jobs where state = 'submitted' and job_id <> '' group by batch_id")
    )


def open_jobs(sql: sqlite3.Connection, batch_id: str | None) -> list[SentJob]:
    """Return a batch's submitted jobs."""
    rows = sql.execute(
        "select reference_id, job_id from jobs where state = 'submitted' and batch_id is ? and job_id <> ''",
        (batch_id,),
    )
    return [SentJob(*row) for row in rows]


def still_open(sql: sqlite3.Connection, jobs: Iterable[SentJob]) -> list[SentJob]:
    """Return those of the jobs that are submitted here, and not known as completed or failed."""
    return [job for job in jobs if _row(sql, job) is not None]


def over(ledger: Ledger, jobs: Iterable[SentJob | FailedJob]) -> Over:
    """Write that the target says these jobs are completed, or have failed since it took them.

    One that has failed is still there, and what is sent again may meet it: that counts as a try of an unknown outcome.
    """
    told = Over(0, [])
    for job in jobs:
        found = _row(ledger.sql, job.job if isinstance(job, FailedJob) else job)
        if found is None:
            continue
        row, path = found
        if isinstance(job, FailedJob):
            detail = f"{job.code}: {job.reason}"
            columns = {"reason": job.reason, "error_code": job.code, "unanswered": 1}
            ledger.move(row, State.SUBMITTED, State.FAILED, detail, **columns)
            told.failed.append((path, job.reason))
        else:
            ledger.move(row, State.SUBMITTED, State.COMPLETED, completed_at=iso(ledger.now), reason="", error_code="")
            told.completed += 1
    return told


SKIPPED = "skipped"
"""The error_code of a submitted job that an annotator has put aside: it comes back by itself if it is annotated yet."""


def skip(ledger: Ledger, jobs: Iterable[SentJob], reason: str) -> list[str]:
    """Write that these jobs were put aside at the target; return the paths of those that were not known as such."""
    told = []
    for job in jobs:
        row = ledger.sql.execute(
            "select id, path from jobs where reference_id = ? and lower(job_id) = ? and state = 'submitted' "
            "and error_code not in (?, 'twins')",
            (job.reference_id, job.job_id.lower(), SKIPPED),
        ).fetchone()
        if row is not None:
            ledger.set(row[0], reason=reason, error_code=SKIPPED, updated_at=iso(ledger.now))
            ledger.record(row[0], SKIPPED)
            told.append(str(row[1]))
    return told


def taken_up(ledger: Ledger, skipped: Iterable[SentJob]) -> list[str]:
    """Write that of the jobs that were put aside only these still are; return the paths of those that are not."""
    still = {(job.reference_id, job.job_id.lower()) for job in skipped}
    told = []
    rows = ledger.sql.execute(
        "select id, path, reference_id, lower(job_id) from jobs where error_code = 'skipped' and +state = 'submitted'"
    ).fetchall()
    for row, path, *job in rows:
        if tuple(job) not in still:
            ledger.set(row, reason="", error_code="", updated_at=iso(ledger.now))
            ledger.record(row, "taken up")
            told.append(str(path))
    return told


def _row(sql: sqlite3.Connection, job: SentJob) -> tuple[int, str] | None:
    """Return the id and the path of the row that has this job as submitted."""
    row: tuple[int, str] | None = sql.execute(
        "select id, path from jobs where reference_id = ? and lower(job_id) = ? and state = 'submitted'",
        (job.reference_id, job.job_id.lower()),
    ).fetchone()
    return row


def unfetched(sql: sqlite3.Connection, now: datetime | None, after: int, limit: int) -> list[Completed]:
    """Return completed jobs without a result, by rising row id beyond `after`; with `now` those whose turn it is."""
    rows = sql.execute(
        "select id, path, job_id, digest, fetches, "
        "iif(kind = 'image', coalesce((select frame_id from frames where job = jobs.id), ''), '') "
        "from jobs where state = 'completed' and result_path is null "
        "and id > ? and (? is null or coalesce(next_attempt_at, '') <= ?) order by id limit ?",
        (after, now and iso(now), now and iso(now), limit),
    )
    return [Completed(*row) for row in rows]


def count_unfetched(sql: sqlite3.Connection, now: datetime | None) -> int:
    """Return how many jobs `unfetched` would give in all."""
    (count,) = sql.execute(
        "select count(*) from jobs where state = 'completed' and result_path is null "
        "and (? is null or coalesce(next_attempt_at, '') <= ?)",
        (now and iso(now), now and iso(now)),
    ).fetchone()
    return int(count)


def place_of(ledger: Ledger, job: Completed) -> tuple[str, tuple[int, str] | None]:
    """Return where a job's result goes, and (row, digest) of the other job whose result is there, if any."""
    path = _result_path(ledger.sql, job)
    return path, _owner(ledger.sql, path, job.id)


def _result_path(sql: sqlite3.Connection, job: Completed) -> str:
    """Return where a job's result belongs, relative to RESULTS_DIR: `<path>.json` for the newest job of a path.

    An older one, whose content was changed and submitted again, goes beside it with its digest in the name.
    """
    newer = sql.execute(
        "select 1 from jobs where path = ?2 and id > ?1 and state in ('submitted', 'completed')",
        (job.id, job.path),
    ).fetchone()
    return kept_path(job.path, job.digest) if newer else f"{job.path}.json"


def kept_path(path: str, digest: str) -> str:
    """Return where the result of a job goes that is not the newest of its path."""
    return f"{path}~{digest[:12]}.json"


def sizes_path(result_path: str) -> str:
    """Return where the sizes of a result's frames go: a name that no result has, nor `*.json` finds."""
    return f"{result_path.removesuffix('.json')}.frames.jsonl"


def sizes_of(ledger: Ledger, job: int, first: int) -> list[FrameSize]:
    """Return the sizes of a job's frames from a position on, in order, FRAMES_TOGETHER at most."""
    rows = ledger.sql.execute(
        "select frame_id, width, height, orientation from frames where job = ? and position >= ? "
        "order by position limit ?",
        (job, first, FRAMES_TOGETHER),
    )
    return [FrameSize(*row) for row in rows]


def _owner(sql: sqlite3.Connection, path: str, but: int) -> tuple[int, str] | None:
    """Return (row, digest) of another job whose result is at `path`, or None."""
    row = sql.execute("select id, digest from jobs where result_path = ? and id <> ?", (path, but)).fetchone()
    return (row[0], row[1]) if row else None


def fetched(ledger: Ledger, job: Completed, path: str) -> None:
    """Write that a job's result is at `path`; another job's that was there has been kept beside it."""
    other = _owner(ledger.sql, path, job.id)
    if other is not None:
        ledger.set(other[0], result_path=kept_path(path.removesuffix(".json"), other[1]))
    ledger.set(job.id, result_path=path, next_attempt_at=None, reason="", error_code="", updated_at=iso(ledger.now))
    ledger.record(job.id, "result", path)


def not_fetched(ledger: Ledger, job: Completed, reason: str, code: str, delay: float) -> None:
    """Write why a job's result could not be fetched; it is tried again after `delay` seconds, doubled with each try."""
    wait = RESULT.seconds(job.fetches + 1, delay)
    ledger.set(
        job.id,
        fetches=job.fetches + 1,
        reason=f"its result could not be fetched: {reason}",
        error_code=code,
        next_attempt_at=iso(ledger.now + timedelta(seconds=wait)),
    )
