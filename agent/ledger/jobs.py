"""What sending writes: intents before a request leaves, and what became of each.

Each function runs inside a transaction of its caller.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from agent.core.retry import JOB, Verdict, verdict
from agent.core.states import State
from agent.core.unset_clock import is_unset
from agent.ledger import late, spend
from agent.ledger.deleted import end_if_deleted
from agent.ledger.store import iso
from agent.ledger.units import state_of
from agent.model import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.core.spend_guard import Limits
    from agent.errors import RemoteError
    from agent.ledger.store import Ledger
    from agent.model import Job


ACCEPTED: dict[str, object] = {
    "reason": "",
    "error_code": "",
    "next_attempt_at": None,
    "lookup": None,
    "unanswered": 0,
    "trying_since": None,
    "spent_for": None,
}
"""What stands in the row of a job that the target has, beside its job_id: nothing of how it came there."""


def intend(ledger: Ledger, jobs: Sequence[Job], limits: Limits | None, *, quiet: bool = False) -> list[Job]:
    """Freeze what is about to be sent, attempts + 1, for those of `jobs` that are still as they were read.

    Those that the spend guard puts off, or holds, are left out; where there are no `limits` a fleet has let them all go
    and counted them. `quiet`: no event tells of it. Nor is anything sent whose last try has no answer yet, where that
    might make it twice: it is looked up.
    """
    at = iso(ledger.now)
    rows = {
        row[0]: row[1:]
        for row in ledger.sql.execute(
            "select id, state, reference_id, attempts, lookup, path, unanswered, trying_since, first_seen_at from jobs "
            "where id in (select value from json_each(?))",
            (json.dumps([job.id for job in jobs]),),
        )
    }
    moves: list[dict[str, object]] = []
    sources: list[tuple[int, int, str | None]] = []
    intended = []
    for job in jobs:
        row = rows.get(job.id)
        if row is None or row[:5] != (State.PENDING, job.reference_id, job.attempts, None, job.path):
            continue
        unanswered, trying_since, first_seen_at = row[5:]
        if late.is_asked_first(ledger, job.id, State.PENDING, unanswered):
            continue
        if limits is None:
            spend.note(ledger, job.id)
        elif limits.are_set and not spend.admit(ledger, job.id, limits):
            continue
        there = late.may_be_there(ledger, job, first_seen_at)
        tried = replace(job, attempts=job.attempts + 1, is_named=True, may_be_there=there)
        moves.append(
            {
                "id": job.id,
                "detail": f"try {tried.attempts}",
                "edition": job.edition,
                "tag": job.tag,
                "batch_id": job.batch_id,
                "priority_weight": job.priority_weight,
                "attempts": tried.attempts,
                "unanswered": unanswered + 1,
                "trying_since": trying_since or at,
            }
        )
        if not job.is_named:
            sources += [(job.id, frame.position, frame.src) for frame in job.frames]
        intended.append(tried)
    ledger.move_all(State.PENDING, State.SUBMITTING, moves, quiet=quiet)
    late.sent(ledger, [job.id for job in intended])
    if sources:
        ledger.sql.execute(
            "update frame_rows set src = value ->> 2 from json_each(?) "
            "where job = value ->> 0 and position = value ->> 1",
            (json.dumps(sources),),
        )
    return intended


def accept_all(ledger: Ledger, answers: Sequence[tuple[int, str]]) -> list[None]:
    """Write that the target has created jobs: (row, job_id) of each."""
    ids = json.dumps([job for job, _ in answers])
    states = dict(ledger.sql.execute("select id, state from jobs where id in (select value from json_each(?))", (ids,)))
    at = iso(ledger.now)
    expected = [(job, job_id) for job, job_id in answers if states[job] == State.SUBMITTING]
    columns = {"submitted_at": at, **ACCEPTED}
    ledger.move_all(
        State.SUBMITTING,
        State.SUBMITTED,
        [{"id": job, "detail": "", "job_id": job_id, **columns} for job, job_id in expected],
    )
    late.answered(ledger, [job for job, _ in expected])
    for job, job_id in answers:
        if states[job] != State.SUBMITTING:
            accepted(ledger, job, job_id)
    return [None] * len(answers)


def accepted(ledger: Ledger, job: int, job_id: str, detail: str = "") -> None:
    """Write that the target has the job as `job_id`."""
    ledger.move(
        job,
        state_of(ledger, job),
        State.SUBMITTED,
        detail,
        job_id=job_id,
        submitted_at=iso(ledger.now),
        **{**ACCEPTED, "reason": detail},
    )
    late.adopted(ledger, job)


def failed(ledger: Ledger, job: int, error: RemoteError, *, tries: int, random: float, probes: bool = False) -> None:
    """Write what the `tries`-th try of a job means that ended in `error`; `random` is uniform in [0, 1).

    Of one that only `probes` whether a remote is back no event tells, and it does not put the job off: what waits then
    is all that is sent.
    """
    decided = verdict(
        error,
        attempts=tries,
        trying_for=_trying_for(ledger, job),
        passed_by=_passed_by(ledger, job, tries) if tries >= JOB.tries else 0,
        random=0.0 if probes else random,
    )
    put_off(ledger, job, decided, quiet=probes)


def not_sent(ledger: Ledger, job: int, *, quiet: bool) -> None:
    """Write that an intended request did not leave: that was no try, and costs no place. `quiet`: without an event."""
    if state_of(ledger, job) is not State.SUBMITTING:
        return
    attempts, unanswered = ledger.sql.execute(
        "select attempts - 1, unanswered - 1 from jobs where id = ?", (job,)
    ).fetchone()
    columns = {"attempts": attempts, "unanswered": unanswered}
    if quiet:
        ledger.move_quietly(job, State.SUBMITTING, State.PENDING, **columns)
    else:
        ledger.move(job, State.SUBMITTING, State.PENDING, "not sent yet", **columns)
    end_if_deleted(ledger, job)


def put_off(ledger: Ledger, job: int, decided: Verdict, *, quiet: bool = False) -> None:
    """Write what a failed try means for its job (see `states.verdict`), be it before or after the request left.

    Nothing is written where the job is neither pending nor submitting any more: its files changed meanwhile.
    """
    state = state_of(ledger, job)
    attempts, unanswered, lookup, trying_since = ledger.sql.execute(
        "select attempts, unanswered, lookup, trying_since from jobs where id = ?", (job,)
    ).fetchone()
    if state is State.SUBMITTING:
        unanswered -= decided.nothing_made
    elif state is State.PENDING:
        attempts += 1  # publishing failed: nothing had left, and the back-off grows all the same
    else:
        return
    then = decided.state
    if then is State.FAILED and unanswered:  # a try that was never answered may have worked after all
        then, lookup = State.PENDING, "given-up"
    elif then is State.PENDING and unanswered and lookup is None and ledger.late is not None:
        lookup = late.UNANSWERED
    at = ledger.now + timedelta(seconds=decided.delay or 0.0)
    columns = {
        "reason": decided.reason,
        "error_code": decided.error_code,
        "attempts": attempts,
        "unanswered": unanswered,
        "lookup": lookup,
        "trying_since": trying_since or iso(ledger.now),
        "next_attempt_at": iso(at) if then is State.PENDING else None,
    }
    if quiet and lookup is None and then is State.PENDING:
        ledger.move_quietly(job, state, then, **columns)
    else:
        ledger.move(job, state, then, f"{decided.error_code}: {decided.reason}", **columns)
    if state is State.SUBMITTING and unanswered:
        late.sent(ledger, [job])
    end_if_deleted(ledger, job)


def unsettled(ledger: Ledger, tried: Job, reason: str) -> None:
    """Write that a job's files changed before its request left; nothing of this try was sent.

    Nothing is written where that is known already: the job is neither pending nor submitting any more. Where it was
    read since it was `tried`, and its content is as before, it is sent again.
    """
    job = tried.id
    state = state_of(ledger, job)
    if state not in (State.PENDING, State.SUBMITTING):
        return
    unanswered = ledger.sql.execute("select unanswered from jobs where id = ?", (job,)).fetchone()[0]
    unanswered -= state is State.SUBMITTING
    if unanswered and _was_read_since(ledger, tried):
        ledger.move(job, state, State.PENDING, reason, unanswered=unanswered, next_attempt_at=iso(ledger.now))
    elif unanswered:
        ledger.move(
            job,
            state,
            State.PENDING,
            reason,
            reason=f"{reason}, while an answer of {ledger.target}'s is missing",
            lookup="changed",
            unanswered=unanswered,
            next_attempt_at=iso(ledger.now),
        )
    else:
        cleared = {"unanswered": 0, "reference_id": None, "next_attempt_at": None}
        ledger.move(job, state, State.SETTLING, reason, reason=reason, **cleared)
        end_if_deleted(ledger, job)


def _was_read_since(ledger: Ledger, tried: Job) -> bool:
    """Tell whether a job's files were read, and found to hold what they did, since it was taken up to be tried."""
    rows = ledger.sql.execute("select path, size, mtime_ns, ctime_ns, inode from frames where job = ?", (tried.id,))
    return {*rows} != {(shown(frame.path), *frame.stamp) for frame in tried.frames}


def recover(ledger: Ledger) -> int:
    """Take up what a crash left: every request whose outcome is unknown is sent again with the same reference_id."""
    if not is_unset(ledger.now):
        clock_set_back(ledger)
    rows = ledger.sql.execute("select id from jobs where state = 'submitting'").fetchall()
    for (job,) in rows:
        late.sent(ledger, [job])
        if late.is_asked_first(ledger, job, State.SUBMITTING, 1):
            continue
        reason = "the agent was stopped before the answer came"
        ledger.move(job, State.SUBMITTING, State.PENDING, reason, reason=reason, next_attempt_at=iso(ledger.now))
    return len(rows)


def _trying_for(ledger: Ledger, job: int) -> float:
    """Return for how many seconds a job has been tried."""
    since: str | None = ledger.sql.execute("select trying_since from jobs where id = ?", (job,)).fetchone()[0]
    return (ledger.now - datetime.fromisoformat(since)).total_seconds() if since else 0.0


def _passed_by(ledger: Ledger, job: int, tries: int) -> int:
    """Return during how many of a job's last `tries` tries (back-off included) another job was accepted."""
    count: int = ledger.sql.execute(
        "select count(*) from (select id, lead(id, 1, 9223372036854775807) over (order by id) as next from "
        "(select id from events where job = ? and event = 'pending' order by id desc limit ?)) as try where exists "
        "(select 1 from events where event = 'submitted' and events.id > try.id and events.id < try.next)",
        (job, tries),
    ).fetchone()[0]
    return count


def clock_set_back(ledger: Ledger) -> None:
    """Make due what was put off by a clock that has been set back since: its time may be far away now."""
    late.clock_set_back(ledger)
    ledger.sql.execute(
        "update jobs set next_attempt_at = ?1 where state = 'pending' and next_attempt_at > ?1 and updated_at > ?1",
        (iso(ledger.now),),
    )


def outage_over(ledger: Ledger, is_outage: Callable[[str], bool]) -> None:
    """Make due what an outage put off, in the order in which it settled, before and among all that never was.

    `is_outage` tells which codes are of an outage. The rows are asked for theirs, since some may be of another run.
    For how long they were tried counts anew: in the outage no answer could have been of the job itself.
    """
    waiting = "state = 'pending' and lookup is null and error_code <> ''"
    kept = ledger.sql.execute(f"select distinct error_code from jobs where {waiting}")  # noqa: S608 (our words)
    codes = [code for (code,) in kept if is_outage(code)]
    ledger.sql.execute(
        f"update jobs set next_attempt_at = coalesce(settled_at, ?), trying_since = null where {waiting} "  # noqa: S608
        "and error_code in (select value from json_each(?))",
        (iso(ledger.now), json.dumps(codes)),
    )
