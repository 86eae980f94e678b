"""What is written of jobs that are looked for in the target's lists: why, when, and what was found there.

Each function that writes runs inside a transaction of its caller.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from agent.core.retry import LOOKUP
from agent.core.states import State
from agent.ledger.deleted import end_if_deleted
from agent.ledger.late import TWINS
from agent.ledger.store import iso
from agent.model import Kind
from agent.model.jobs import Lookup

if TYPE_CHECKING:
    import sqlite3

    from agent.ledger.store import Ledger
    from agent.model import Unit

TOGETHER = 1000
"""Jobs that are looked at again in one pass."""
HELD = "held"
"""Why a job is looked up that is to be held: it may have been sent under rules of another time, and the ledger lost."""


def may_be_sent(ledger: Ledger, unit: Unit, code: str, row: int | None) -> bool:
    """Tell whether a unit that is held by its own `code` may have been sent by an agent of whom no row tells.

    That is asked of what was there before this start and was never read: after a loss of the ledger that is all.
    """
    if unit.hold is None or unit.hold[0] != code:
        return False
    known = ledger.sql.execute("select 1 from jobs where id = ? and digest is not null", (row,)).fetchone()
    changed_at = datetime.fromtimestamp(max(frame.stamp.ctime_ns for frame in unit.frames) / 1e9, UTC)
    return known is None and iso(changed_at) < ledger.get("started_at")


def go_on(ledger: Ledger, job: int) -> None:
    """Have a job sent again that was to be looked up since its files changed, and that holds what was sent.

    Under the same id it is made once, however the missing answer was. One that was moved has other URLs than those
    that were sent: it is looked up.
    """
    ledger.sql.execute(
        "update jobs set lookup = null, reason = '', next_attempt_at = ? where id = ? and state = 'pending' "
        "and lookup = 'changed' and not exists (select 1 from frames where job = jobs.id and src is null)",
        (iso(ledger.now), job),
    )


def in_use(ledger: Ledger, job: int, *, code: str, reason: str) -> None:
    """Write that the target says the reference_id is in use: the job is to be found in its lists."""
    unanswered = ledger.sql.execute("select unanswered from jobs where id = ?", (job,)).fetchone()[0]
    ledger.move(
        job,
        State.SUBMITTING,
        State.PENDING,
        f"{code}: {reason}",
        reason=f"{ledger.target} has this reference_id already: looking for the job in its lists",
        error_code=code,
        lookup="duplicate",
        unanswered=unanswered - 1,
        next_attempt_at=iso(ledger.now),
    )


def lookups(sql: sqlite3.Connection, now: datetime) -> list[Lookup]:
    """Return the jobs that are to be looked up now, and those that are to be looked at again for twins."""
    columns = "id, path, reference_id, tag, batch_id, frame_count, kind, digest"
    first = sql.execute(
        f"select {columns}, lookup, unanswered from jobs indexed by jobs_lookup "  # noqa: S608 (our names)
        "where state = 'pending' and lookup is not null and next_attempt_at <= ? order by id",
        (iso(now),),
    )
    again = sql.execute(
        f"select {columns}, '{TWINS}', 1 from jobs indexed by jobs_look_again "  # noqa: S608 (our names)
        "where look_again_at <= ? and state not in ('pending', 'submitting') and reference_id is not null "
        "order by look_again_at limit ?",
        (iso(now), TOGETHER),
    )
    return [
        Lookup(job, path, reference_id, tag, batch_id, frame_count, Kind(kind), digest, why, bool(unanswered))
        for rows in (first, again)
        for job, path, reference_id, tag, batch_id, frame_count, kind, digest, why, unanswered in rows
    ]


def is_open(ledger: Ledger, wanted: Lookup) -> bool:
    """Tell whether a job still waits to be looked up, and for the same reason as when it was read."""
    row = ledger.sql.execute("select state, lookup from jobs where id = ?", (wanted.id,)).fetchone()
    return bool(row == (State.PENDING, wanted.why))


def not_ours(ledger: Ledger, job: int, reason: str) -> None:
    """Write that the target's job of this id is not, or cannot be shown to be, ours: for a person."""
    ledger.move(job, State.PENDING, State.DUPLICATE, reason, reason=reason, lookup=None, next_attempt_at=None)


def not_found(ledger: Ledger, wanted: Lookup) -> State:
    """Write that no list holds the job: asked again for an hour where it may exist, since lists may lag.

    The waiting time between two looks is as long as it has been looked for already, 10 s at least. That counts from
    its last try, of which no event may tell: from then on, or from later, its row is as it is.
    """
    if wanted.why == HELD:
        reason = ledger.sql.execute("select reason from jobs where id = ?", (wanted.id,)).fetchone()[0]
        ledger.move(wanted.id, State.PENDING, State.HELD, reason, lookup=None, next_attempt_at=None)
        return State.HELD
    since = datetime.fromisoformat(
        ledger.sql.execute(
            "select max(updated_at, coalesce("
            "(select max(at) from events where job = ?1 and event = 'submitting'), '')) from jobs where id = ?1",
            (wanted.id,),
        ).fetchone()[0]
    )
    may_lag = wanted.attempted or wanted.why == "duplicate"
    age = (ledger.now - since).total_seconds()
    if may_lag and age < LOOKUP.patience:
        at = iso(ledger.now + timedelta(seconds=max(LOOKUP.seconds(), age)))
        ledger.set(wanted.id, next_attempt_at=at)
        if wanted.why != "given-up":  # the reason says what was answered, which is what a person must know in the end
            ledger.set(wanted.id, reason=f"not in {ledger.target}'s lists yet, which may lag: looking again")
        return State.PENDING
    if wanted.why == "duplicate":
        reason = f"{ledger.target} says this reference_id is in use, but no batch's list shows the job"
        not_ours(ledger, wanted.id, reason)
        return State.DUPLICATE
    then = State.FAILED if wanted.why == "given-up" else State.SETTLING
    reason = f"no job of an earlier try is in {ledger.target}'s lists"
    if then is State.FAILED:
        kept = ledger.sql.execute("select reason from jobs where id = ?", (wanted.id,)).fetchone()[0]
        reason = f"given up; {reason} ({kept})"
    ledger.move(wanted.id, State.PENDING, then, reason, reason=reason, lookup=None, unanswered=0, next_attempt_at=None)
    return State.GONE if end_if_deleted(ledger, wanted.id) else then
