"""What the spend guard counts and puts off.

Each function that writes runs inside a transaction of its caller.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from agent.core.spend_guard import Allowance, Limits, Spent, ask, day_of, is_used_up, next_day
from agent.core.states import SPEND, State
from agent.ledger.reports import beyond
from agent.ledger.store import iso
from agent.model.journal import about

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    from agent.ledger.store import Ledger

log = logging.getLogger(__package__)

WAITING = "state = 'pending' and lookup is null and spent_for is not reference_id and next_attempt_at <= ?1"


def today(sql: sqlite3.Connection, now: datetime) -> Spent:
    """Return what was counted on this UTC day."""
    row = sql.execute("select jobs, frames from spend where day = ?", (day_of(now),)).fetchone()
    return Spent(*row) if row else Spent()


def admit(ledger: Ledger, job: int, limits: Limits) -> bool:
    """Count a pending job for today if that was not done before; else put it off, or hold it; return whether it may go.

    To be called in the transaction of the intent, so that no crash can come between counting and sending.
    """
    frames, counted = ledger.sql.execute(
        "select frame_count, spent_for is reference_id from jobs where id = ?", (job,)
    ).fetchone()
    if counted:
        return True
    answer, why = ask(limits, today(ledger.sql, ledger.now), frames)
    if answer is not Allowance.TODAY:
        refuse(ledger, job, answer, why)
        return False
    _let(ledger, job)
    return True


def refuse(ledger: Ledger, job: int, answer: Allowance, why: str, seconds: float = 0.0) -> None:
    """Put a pending job off until the next UTC day, or hold it; `seconds` is how long that is by another's clock."""
    if answer is Allowance.NEVER:
        _hold(ledger, job, why)
        return
    until = _say(ledger, why, iso(ledger.now + timedelta(seconds=seconds)) if seconds else "")
    ledger.set(job, reason=beyond(why, until), error_code=SPEND, next_attempt_at=until)


def note(ledger: Ledger, job: int) -> None:
    """Count a pending job here, too, that a fleet has counted, if that was not done before."""
    (counted,) = ledger.sql.execute("select spent_for is reference_id from jobs where id = ?", (job,)).fetchone()
    if not counted:
        _let(ledger, job)


def _let(ledger: Ledger, job: int) -> None:
    count(ledger, job)
    ledger.sql.execute("update jobs set reason = '', error_code = '' where id = ? and error_code = ?", (job, SPEND))


def count(ledger: Ledger, job: int) -> None:
    """Count a job for today, under its reference_id."""
    ledger.sql.execute(
        "insert into spend select ?, 1, frame_count from jobs where id = ? "
        "on conflict (day) do update set jobs = jobs + 1, frames = frames + excluded.frames",
        (day_of(ledger.now), job),
    )
    ledger.sql.execute("update jobs set spent_for = reference_id where id = ?", (job,))


def put_off_all(ledger: Ledger, limits: Limits) -> int:
    """Put off every job that was not counted yet, where nothing more may be sent today; return how many there were.

    Those that no day allows are held at once.
    """
    spent = today(ledger.sql, ledger.now)
    if not is_used_up(limits, spent):
        return 0
    _, why = ask(limits, spent, 1)
    until = _say(ledger, why)
    if limits.frames is not None:
        too_large = f"select id, frame_count from jobs where {WAITING} and frame_count > ?2"  # noqa: S608 (our words)
        for job, frames in ledger.sql.execute(too_large, (until, limits.frames)).fetchall():
            _hold(ledger, job, ask(limits, spent, frames)[1])
    return _put_off(ledger, why, until)


def put_off_all_as(ledger: Ledger, why: str) -> int:
    """Put off every job that was not counted yet, as a fleet says that nothing more may be sent today."""
    return _put_off(ledger, why, _say(ledger, why))


def _put_off(ledger: Ledger, why: str, until: str) -> int:
    return ledger.sql.execute(
        f"update jobs set reason = ?2, error_code = ?3, next_attempt_at = ?1 where {WAITING}",  # noqa: S608 (our words)
        (until, beyond(why, until), SPEND),
    ).rowcount


def _hold(ledger: Ledger, job: int, why: str) -> None:
    ledger.move(job, State.PENDING, State.HELD, why, reason=why, error_code=SPEND, next_attempt_at=None)
    named = ledger.sql.execute("select path, reference_id from jobs where id = ?", (job,)).fetchone()
    log.warning("job %d is held: %s", job, why, extra=about(*named))


def has_uncounted_due(sql: sqlite3.Connection, now: datetime) -> bool:
    """Tell whether the turn of a job has come that was not counted yet."""
    return bool(sql.execute(f"select exists (select 1 from jobs where {WAITING})", (iso(now),)).fetchone()[0])  # noqa: S608 (our words)


def put_off(sql: sqlite3.Connection, now: datetime) -> int:
    """Return how many jobs wait for another day."""
    (count,) = sql.execute(
        "select count(*) from jobs where state = 'pending' and error_code = ? and next_attempt_at > ?",
        (SPEND, iso(now)),
    ).fetchone()
    return int(count)


def reconsider(ledger: Ledger) -> None:
    """Have what was put off looked at again: the limits may be others than at the last start."""
    ledger.put(spend_limit="", spend_limit_until="")
    ledger.sql.execute(
        "update jobs set reason = '', error_code = '', next_attempt_at = ? where state = 'pending' and error_code = ?",
        (iso(ledger.now), SPEND),
    )


def _say(ledger: Ledger, why: str, until: str = "") -> str:
    """Say loudly, once a day and limit, that jobs wait; return until when."""
    is_told = ledger.get("spend_limit_until") > iso(ledger.now) if until else False
    until = until or iso(next_day(ledger.now))
    if ledger.get("spend_limit_until") != until and not is_told:
        ledger.put(spend_limit=why, spend_limit_until=until)
        ledger.record(None, "spend limit", beyond(why, until))
        log.warning("%s", beyond(why, until))
    return until
