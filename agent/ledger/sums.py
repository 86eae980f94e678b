"""What a person asks of many jobs at once: what was sent today, what the pending ones wait for, how folders stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.core.retry import TELL_SECONDS
from agent.core.spend_guard import day_of
from agent.core.states import SPEND
from agent.ledger.store import iso, rows_of

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

FLEET = "fleet"
LOOKUP = "lookup"
LATER = "later"
TURN = "turn"
"""What a pending job waits for: the next day by the spend guard (SPEND), another host, a look into the target's lists,
its next try, its turn."""


BY_FOLDER = """
    select top as folder, count(*) as jobs, sum(frame_count) as frames,
        sum(not trouble and state in ('settling', 'pending', 'submitting')) as waiting,
        sum(state = 'submitted') as submitted, sum(state = 'completed') as completed, sum(trouble) as attention
    from (
        select rtrim(substr(folder, 1, instr(folder || '/', '/')), '/') as top, state, frame_count,
            state in ('held', 'invalid', 'failed', 'duplicate') or error_code = 'twins' or (state = 'settling'
            and error_code = 'unreadable' and updated_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?)) as trouble
        from jobs where state not in ('gone', 'ignored')
    )
    group by top order by top
"""


def submitted_since(sql: sqlite3.Connection, since: datetime) -> int:
    """Count the jobs that were submitted since."""
    return _submitted(sql, iso(since))[0]


def today(sql: sqlite3.Connection, now: datetime) -> dict[str, Any]:
    """Return what was submitted on this UTC day."""
    day = day_of(now)
    jobs, frames = _submitted(sql, day)
    return {"day": day, "jobs": jobs, "frames": frames}


def waits(sql: sqlite3.Connection, at: str) -> list[dict[str, Any]]:
    """Return what the pending jobs wait for at a moment, most jobs first; `reason` is that of the next one.

    Those whose turn has come are what is left: in a backlog they are many, and none of their rows is read.
    """
    rows = rows_of(
        sql,
        f"select case when error_code in ('{SPEND}', '{FLEET}') then error_code else '{LATER}' end as why, "  # noqa: S608 (our words)
        "count(*) as jobs, min(next_attempt_at) as next_attempt_at, reason from jobs indexed by jobs_pending "
        "where state = 'pending' and lookup is null and next_attempt_at > ? group by why "
        f"union all select '{LOOKUP}', count(*), min(next_attempt_at), reason from jobs indexed by jobs_lookup "
        "where state = 'pending' and lookup is not null having count(*) > 0",
        at,
    )
    pending = sql.execute("select coalesce(sum(jobs), 0) from counts where state = 'pending'").fetchone()[0]
    turn = pending - sum(row["jobs"] for row in rows)
    if turn > 0:
        rows.append({"why": TURN, "jobs": turn, "next_attempt_at": None, "reason": ""})
    return sorted(rows, key=lambda row: -row["jobs"])


def by_folder(sql: sqlite3.Connection) -> list[dict[str, Any]]:
    """Return how each top folder stands, '' being the watch folder itself; without what was dismissed, or is gone."""
    return rows_of(sql, BY_FOLDER, f"-{TELL_SECONDS} seconds")


def _submitted(sql: sqlite3.Connection, since: str) -> tuple[int, int]:
    """Return how many jobs were submitted since, and their frames; the index on state and time serves it."""
    jobs, frames = sql.execute(
        "select count(*), coalesce(sum(frame_count), 0) from jobs where state in ('submitted', 'completed') "
        "and updated_at >= ?1 and submitted_at >= ?1",
        (since,),
    ).fetchone()
    return jobs, frames
