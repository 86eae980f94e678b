"""What people ask: how it stands, what waits for them, why one unit is where it is, and whether the ledger is well."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from agent.core.retry import TELL_SECONDS
from agent.core.states import AT_TARGET, ATTENTION, WAITING
from agent.ledger import sums
from agent.ledger.store import iso, rows_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping
    from datetime import datetime

STATUS = "select * from status"
"""How it stands, in words that a person can repeat."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How it stands: jobs by state, and the sums that a person asks for first.

    Of those that settle so many are `unreadable`, for long enough to be told.
    """

    jobs: Mapping[str, int]
    unreadable: int = 0

    @property
    def submitted(self) -> int:
        """Jobs that the target has."""
        return sum(self.jobs.get(state, 0) for state in AT_TARGET)

    @property
    def waiting(self) -> int:
        """Jobs that the agent will move on by itself."""
        return sum(self.jobs.get(state, 0) for state in WAITING) - self.unreadable

    @property
    def attention(self) -> int:
        """Jobs that wait for a person."""
        return sum(self.jobs.get(state, 0) for state in ATTENTION) + self.unreadable

    def __str__(self) -> str:
        return f"{self.submitted:,} submitted, {self.waiting:,} waiting, {self.attention:,} need attention"


def standing(sql: sqlite3.Connection) -> Counts:
    """Return the jobs by state, from the counts that triggers keep."""
    (unreadable,) = sql.execute(
        "select count(*) from jobs where +state = 'settling' and error_code = 'unreadable' "
        "and updated_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?)",
        (f"-{TELL_SECONDS} seconds",),
    ).fetchone()
    return Counts(dict(sql.execute("select state, jobs from counts where jobs > 0")), unreadable)


class Sum(NamedTuple):
    """Jobs, with their files and these files' bytes."""

    jobs: int
    frames: int
    bytes: int


@dataclass(frozen=True, slots=True)
class RunSums:
    """What a run has sent, and what waits, of which some still settle; `attention` counts as the status does."""

    sent: Sum
    settling: Sum
    waiting: Sum
    attention: int


def sums_of_run(sql: sqlite3.Connection) -> RunSums:
    """Return how far the agent is since it was started last."""
    sent = _sum(
        sql,
        "event_log join jobs on jobs.id = job where event = 'submitted' and event_log.id > "
        "(select coalesce(max(id), 0) from event_log where job is null and event = 'started')",
    )
    settling = _sum(sql, "jobs where state = 'settling'")
    waiting = _sum(sql, "jobs where state in ('pending', 'submitting')")
    return RunSums(sent, settling, waiting, attention_jobs(sql))


def _sum(sql: sqlite3.Connection, of: str) -> Sum:
    asked = f"select count(*), coalesce(sum(frame_count), 0), coalesce(sum(bytes), 0) from {of}"  # noqa: S608 (our words)
    return Sum(*sql.execute(asked).fetchone())


@dataclass(frozen=True, slots=True)
class Report:
    """What the `status` command shows; each row is a mapping of column names to values.

    So many jobs are `skipped`: put aside by annotators, which is theirs to say and wants nobody's attention.
    """

    status: list[dict[str, Any]]
    attention: list[dict[str, Any]]
    attention_jobs: int
    skipped: int
    agent: dict[str, str]
    submitted_last_hour: int
    submitted_last_day: int
    today: dict[str, Any]
    waits: list[dict[str, Any]]
    folders: list[dict[str, Any]]


def report(sql: sqlite3.Connection, now: datetime, limit: int, *, by_folder: bool = False) -> Report:
    """Return what `status` shows, with up to `limit` rows that wait for a person; folders where they are asked for."""
    return Report(
        status=status(sql),
        attention=rows_of(sql, "select * from attention limit ?", limit),
        attention_jobs=attention_jobs(sql),
        skipped=_skipped(sql),
        agent=agent(sql),
        submitted_last_hour=sums.submitted_since(sql, now - timedelta(hours=1)),
        submitted_last_day=sums.submitted_since(sql, now - timedelta(days=1)),
        today=sums.today(sql, now),
        waits=sums.waits(sql, iso(now)),
        folders=sums.by_folder(sql) if by_folder else [],
    )


def attention_jobs(sql: sqlite3.Connection) -> int:
    """Return how many jobs wait for a person, with what is about all of them."""
    return standing(sql).attention + _troubles(sql)


def _troubles(sql: sqlite3.Connection) -> int:
    """Count what needs attention by no state of its own: what is about all, and jobs that are there twice."""
    (twins,) = sql.execute(
        "select count(*) from jobs where error_code = 'twins' and +state in ('submitted', 'completed')"
    ).fetchone()
    return int(twins) + sum(bool(agent(sql).get(key)) for key in ("unpublished", "fleet"))


def _skipped(sql: sqlite3.Connection) -> int:
    (count,) = sql.execute("select count(*) from jobs where error_code = 'skipped' and +state = 'submitted'").fetchone()
    return int(count)


def status(sql: sqlite3.Connection) -> list[dict[str, Any]]:
    """Return the rows of the view `status`."""
    return rows_of(sql, STATUS)


def agent(sql: sqlite3.Connection) -> dict[str, str]:
    """Return what the agent says of itself, by key."""
    return dict(sql.execute("select key, value from agent"))


def spend_limit(agent: Mapping[str, str], now: datetime) -> str:
    """Return the sentence about the limit of the spend guard that is reached now, '' where none is."""
    until = agent.get("spend_limit_until", "")
    return beyond(agent["spend_limit"], until) if until > iso(now) else ""


def beyond(why: str, until: str) -> str:
    """Return the sentence about a limit that is reached: `why`, and until when what goes beyond waits."""
    return f"{why}; what goes beyond waits until {until}"


def about(sql: sqlite3.Connection, name: str, folder: str) -> list[dict[str, Any]]:
    """Return all rows of a unit, newest first, each with its events: for `explain`.

    `name` is a path or a reference_id; a frame's path finds its folder's rows where `folder` is its folder.
    """
    rows = rows_of(
        sql,
        "select * from jobs where path = ?1 or reference_id = ?1 or (path = ?2 and kind = 'sequence') order by id desc",
        name,
        folder,
    )
    for row in rows:
        row["events"] = rows_of(sql, "select at, event, detail from events where job = ? order by id", row["id"])
    return rows


def damage(sql: sqlite3.Connection) -> str:
    """Return what is damaged in the ledger's file, '' where it is whole."""
    found: str = sql.execute("pragma quick_check(1)").fetchone()[0]
    return "" if found == "ok" else found


def last_start_or_stop(sql: sqlite3.Connection) -> str:
    """Return which of the two the agent did last, `started` or `stopped`; '' where it has not run yet."""
    row = sql.execute(
        "select event from events where job is null and event in ('started', 'stopped') order by id desc limit 1"
    ).fetchone()
    return row[0] if row else ""
