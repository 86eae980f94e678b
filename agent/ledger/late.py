"""What is written of jobs that a target may make twice: when to look before they are sent again, and for twins.

Where duplicates are refused (`Ledger.late` is None) nothing here does anything. Each function that writes runs inside a
transaction of its caller.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from agent.core.adoption import why_not_ours
from agent.core.retry import TWINS as AGAIN
from agent.core.retry import UNANSWERED as LATE
from agent.core.states import AT_TARGET, State
from agent.ledger.deleted import end_if_deleted
from agent.ledger.store import EPOCH, iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.ledger.store import Ledger
    from agent.model import Job
    from agent.model.jobs import Found, Lookup

UNANSWERED = "unanswered"
"""Why a job is looked up whose last try has no answer: it is not sent again before a look has not found it."""
TWINS = "twins"
"""Why a job is looked at again that may be there twice; the error_code of one that is, and that a person must see."""
TWICE = 2
"""Twins are looked for after twice the time that a request may take: what held one up may hold it up for longer."""
OPEN = (State.PENDING, State.SUBMITTING)


def sent(ledger: Ledger, jobs: Sequence[int]) -> None:
    """Write that requests for jobs leave now, or were given up now: they may arrive for so long."""
    if ledger.late is not None:
        _look_at(ledger, jobs, _over(ledger, ledger.late))


def answered(ledger: Ledger, jobs: Sequence[int]) -> None:
    """Write that jobs were made, and an id came back: those are looked at again of which another request may be.

    That is one of an earlier try, of a host of the fleet that has died, or of an agent whose ledger was lost, or is an
    older copy now: of what was there at this start.
    """
    if ledger.late is None:
        return
    began = datetime.fromisoformat(ledger.get("unsure_until") or ledger.get("began_at") or iso(EPOCH))
    limit = iso(ledger.now if ledger.get("fleet_database") else began + timedelta(seconds=ledger.late))
    ledger.sql.execute(
        "update jobs set look_again_at = iif(attempts > 1 or first_seen_at <= ?, ?, null) "
        "where id in (select value from json_each(?))",
        (limit, iso(_over(ledger, TWICE * ledger.late)), json.dumps(list(jobs))),
    )


def adopted(ledger: Ledger, job: int) -> None:
    """Write that a job was found there: others like it may be, or come."""
    if ledger.late is not None:
        _look_at(ledger, [job], _over(ledger, TWICE * ledger.late))


def look(ledger: Ledger, job: int) -> None:
    """Have a job looked at again now: twins of it were seen."""
    _look_at(ledger, [job], ledger.now)


def is_asked_first(ledger: Ledger, job: int, state: State, unanswered: int) -> bool:
    """Have a job looked up before it is sent again, where it may be there; return whether it is."""
    if ledger.late is None or not unanswered:
        return False
    reason = f"an answer of {ledger.target}'s is missing: looking whether the job is there"
    columns = {"lookup": UNANSWERED, "next_attempt_at": iso(ledger.now)}
    ledger.move(job, state, State.PENDING, reason, reason=reason, **columns)
    return True


def may_be_there(ledger: Ledger, job: Job, first_seen_at: str) -> bool:
    """Tell whether a job may be there of which the ledger does not know: then it is looked for before it is sent.

    Nothing tells an older copy of a ledger that was put back. What is older than this start may have been sent since it
    was made; a new ledger is told by the target's lists.
    """
    until = "" if ledger.late is None else ledger.get("unsure_until")
    if not until:
        return False  # to look at the times of 100,000 frames takes a while
    changed = datetime.fromtimestamp(max(frame.stamp.ctime_ns for frame in job.frames) / 1e9, UTC)
    return min(first_seen_at, iso(changed)) < until


def not_found(ledger: Ledger, wanted: Lookup, looked_at: datetime) -> State:
    """Write that a job was not there: it is sent again, once a look has begun after its last request must be over."""
    (until,) = ledger.sql.execute("select look_again_at from jobs where id = ?", (wanted.id,)).fetchone()
    if until is not None and iso(looked_at) < until:
        reason = f"not there yet, and its last request to {ledger.target} may still arrive: looking again then"
        ledger.set(wanted.id, reason=reason, next_attempt_at=until)
        return State.PENDING
    reason = f"no try of it has reached {ledger.target}: sent again"
    columns = {"lookup": None, "unanswered": 0, "next_attempt_at": iso(ledger.now)}
    ledger.move(wanted.id, State.PENDING, State.PENDING, reason, reason=reason, **columns)
    return State.GONE if end_if_deleted(ledger, wanted.id) else State.PENDING


def looked_again(
    ledger: Ledger, wanted: Lookup, looked_at: datetime, *, kept: Found | None, removed: int, left: Sequence[str]
) -> None:
    """Write what a second look has shown: which job stays, how many twins are gone, and which are left for a person."""
    state, job_id, until, code = ledger.sql.execute(
        "select state, job_id, look_again_at, error_code from jobs where id = ?", (wanted.id,)
    ).fetchone()
    if until is None or iso(looked_at) < until or state in OPEN:
        return  # it was sent meanwhile: it is looked at again after that
    ledger.set(wanted.id, look_again_at=None)
    if state not in AT_TARGET or kept is None:
        return
    alien = why_not_ours(kept, wanted, ledger.target)
    is_other = kept.job_id != job_id and alien is None
    if is_other:
        ledger.set(wanted.id, job_id=kept.job_id)
    if removed or is_other:
        told = f"{ledger.target} had it more than once: {kept.job_id} stays, {removed} removed"
        ledger.record(wanted.id, TWINS, told)
    if left or alien:
        others = ", ".join(left) or kept.job_id
        stays = "what was worked on, or is of other files, stays"
        reason = f"{ledger.target} has it more than once, and {stays}: look at {others}"
        again = iso(ledger.now + timedelta(seconds=AGAIN.seconds()))
        ledger.set(wanted.id, reason=alien or reason, error_code=TWINS, look_again_at=again)
    elif code == TWINS:
        ledger.set(wanted.id, reason="", error_code="")


def clock_set_back(ledger: Ledger) -> None:
    """Have no look be far away because of a clock that has been set back since."""
    if ledger.late is not None:
        at = iso(ledger.now + timedelta(seconds=max(TWICE * ledger.late, AGAIN.seconds())))
        ledger.sql.execute("update jobs set look_again_at = ?1 where look_again_at > ?1", (at,))


def _look_at(ledger: Ledger, jobs: Sequence[int], at: datetime) -> None:
    ledger.sql.execute(
        "update jobs set look_again_at = ? where id in (select value from json_each(?))",
        (iso(at), json.dumps(list(jobs))),
    )


def _over(ledger: Ledger, late: float) -> datetime:
    """Return when so long has passed from now on."""
    return ledger.now + timedelta(seconds=LATE.seconds(first=late))
