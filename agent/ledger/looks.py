"""What the page asks: sums that triggers keep, how long jobs take, and lists by pages (`walks.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import TYPE_CHECKING, Any

from agent.ledger import one_job, orders, walks
from agent.ledger.reads_for_people import ReadsForPeople
from agent.ledger.store import rows_of
from agent.ledger.walks import Part
from agent.model import parent

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from agent.ledger.one_job import JobFrame
    from agent.ledger.orders import Target
    from agent.ledger.walks import Key, Wanted

RECENT = 300
"""Jobs of which the usual time is told."""


@dataclass(frozen=True, slots=True)
class Usual:
    """Medians of the last jobs, in seconds: from the first sight to sent, and from sent to annotated; None of none."""

    to_sent: float | None
    to_annotated: float | None


class Looks(ReadsForPeople):
    """Answers the page's questions, too."""

    def sent_days(self, since: str) -> list[dict[str, Any]]:
        """Return what was sent on each UTC day from one on, by kind; days without are not there."""
        return self._ask(_sent_days, since)

    def sent_ever(self) -> dict[str, int]:
        """Return what was sent so far, by kind."""
        return self._ask(_sent_ever)

    def usual(self) -> Usual:
        """Return how long jobs have taken lately."""
        return self._ask(_usual)

    def troubles(self) -> list[dict[str, Any]]:
        """Return how many jobs are in trouble by state and error_code, most first."""
        return self._ask(walks.troubles)

    def troubled(self, wanted: Wanted, after: Key | None, limit: int) -> Part:
        """Return jobs in trouble, newest first."""
        return self._ask(walks.troubled, wanted, after, limit)

    def found(self, wanted: Wanted, after: Key | None, limit: int) -> Part:
        """Return jobs, newest first; those of a folder by their paths."""
        return self._ask(walks.found, wanted, after, limit)

    def named(self, text: str) -> list[dict[str, Any]]:
        """Return the jobs of a path (of a frame, too), of a reference_id, or of a number of our own."""
        return self._ask(_named, text)

    def folder_sums(self, after: str | None, limit: int, *, begins: str = "", in_trouble: bool = False) -> Part:
        """Return how top folders stand, by their names."""
        return self._ask(_folder_sums, after, limit, begins=begins, in_trouble=in_trouble)

    def job(self, number: int) -> dict[str, Any] | None:
        """Return a job's row, None where there is none."""
        return self._ask(one_job.job, number)

    def others_of_path(self, number: int, limit: int) -> list[dict[str, Any]]:
        """Return the other jobs of a job's path, newest first."""
        return self._ask(one_job.others_of_path, number, limit)

    def events_of(self, number: int, limit: int) -> list[dict[str, Any]]:
        """Return a job's last events, newest first."""
        return self._ask(one_job.events_of, number, limit)

    def job_frames(self, number: int, first: int, count: int) -> list[JobFrame]:
        """Return so many of a job's frames, from a position on."""
        return self._ask(one_job.job_frames, number, first, count)

    def frame_ids(self, number: int) -> list[str]:
        """Return the names of a job's frames, in order."""
        return self._ask(one_job.frame_ids, number)

    def targets(self, ids: Sequence[int]) -> list[Target]:
        """Return jobs as orders are about them."""
        return self._ask(orders.of_ids, ids)


def _sent_days(sql: sqlite3.Connection, since: str) -> list[dict[str, Any]]:
    return rows_of(sql, "select day, images, sequences, frames from sent_days where day >= ? order by day", since)


def _sent_ever(sql: sqlite3.Connection) -> dict[str, int]:
    names = ("images", "sequences", "frames")
    row = sql.execute(f"select {', '.join(f'coalesce(sum({name}), 0)' for name in names)} from sent_days").fetchone()  # noqa: S608
    return dict(zip(names, row, strict=True))


def _usual(sql: sqlite3.Connection) -> Usual:
    sent = sql.execute(
        "select first_seen_at, submitted_at from (select job from event_log indexed by events_submitted "
        "where event = 'submitted' order by id desc limit ?) join jobs on jobs.id = job where submitted_at is not null",
        (RECENT,),
    )
    annotated = sql.execute(
        "select submitted_at, completed_at from jobs indexed by jobs_state where state = 'completed' "
        "and submitted_at is not null and completed_at is not null order by updated_at desc limit ?",
        (RECENT,),
    )
    return Usual(_median(sent), _median(annotated))


def _median(spans: Iterable[tuple[str, str]]) -> float | None:
    seconds = [(datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds() for begin, end in spans]
    return median(seconds) if seconds else None


def _named(sql: sqlite3.Connection, text: str) -> list[dict[str, Any]]:
    ids = sql.execute(
        "select id from jobs where reference_id = ?1 union select id from jobs where id = ?3 "
        "union select id from jobs where path = ?1 "
        "union select id from jobs where path = ?2 and kind = 'sequence' order by id desc limit 100",
        (text, parent(text), int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None),
    ).fetchall()
    return walks.rows(sql, [job for (job,) in ids])


def _folder_sums(sql: sqlite3.Connection, after: str | None, limit: int, *, begins: str, in_trouble: bool) -> Part:
    index, more = ("indexed by folder_sums_attention", "and attention > 0") if in_trouble else ("", "")
    rows = rows_of(
        sql,
        f"select * from folder_sums {index} where folder > ? and folder >= ? and folder < ? {more} "  # noqa: S608
        "order by folder limit ?",
        "" if after is None else after,
        begins,
        f"{begins}\U0010ffff",
        limit + 1,
    )
    return Part(rows[:limit], (rows[limit - 1]["folder"],) if len(rows) > limit else None)
