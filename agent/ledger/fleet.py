"""What is written of a fleet: how far it knows the jobs here, what it does not let go, and that its database is away.

It knows the jobs up to a mark. While all are told anew (`fleet_rows` is set) that is a row, else an event: each job
that the target has taken is told of by one. So nothing is written of a job for the fleet's sake. Each function runs
inside a transaction of its caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from agent.core.grants import Say
from agent.core.reference_id import DIGEST_DIGITS
from agent.core.spend_guard import Allowance
from agent.core.states import SPEND, State
from agent.ledger import jobs, past, reports, spend
from agent.ledger.store import iso

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.core.grants import Granted
    from agent.ledger.store import Ledger
    from agent.model import Job

CODE = "fleet"
TOGETHER = 500
"""Jobs that are told of in one round trip."""
REFUSALS = {Say.TOMORROW: Allowance.TOMORROW, Say.NEVER: Allowance.NEVER}
TELLING = (
    "reference_id, frame_count, coalesce(job_id, ''), job_id is null, "
    "substr(coalesce(submitted_at, trying_since, ''), 1, 10)"
)
ELSEWHERE = "another host of the fleet has sent it"


class Telling(NamedTuple):
    """A job that the database is to be told of; `is_open`: a request of an unknown outcome may have left.

    `day` is the UTC day on which the target has taken it, or it was first tried.
    """

    reference_id: str
    frames: int
    job_id: str
    is_open: bool
    day: str


@dataclass(frozen=True, slots=True)
class Untold:
    """Jobs that the fleet's database does not know, and the mark to be set once it does."""

    jobs: list[Telling]
    mark: Mapping[str, str]
    is_all: bool
    """Whether no more are left."""


def stands(ledger: Ledger) -> dict[str, int]:
    """Return how many jobs are in each state."""
    return dict(reports.standing(ledger.sql).jobs)


def memory(ledger: Ledger) -> tuple[str, int]:
    """Return which database was told of all jobs, '' where none was, and the number of the last sign of life."""
    return ledger.get("fleet_database"), int(ledger.get("fleet_number") or 0)


def meet(ledger: Ledger, database: str) -> None:
    """Take note of a database that is to be told of all jobs: it is another than before, or an older copy of it."""
    if ledger.get("fleet_telling") == database:
        return
    (last,) = ledger.sql.execute("select coalesce(max(id), 0) from event_log").fetchone()
    ledger.put(fleet_database="", fleet_telling=database, fleet_rows="0", fleet_events=str(last))


def trusts(ledger: Ledger, database: str) -> None:
    """Take note that it was told of all."""
    ledger.put(fleet_database=database, fleet_telling="")


def untold(ledger: Ledger) -> Untold:
    """Return what the database is to be told of next."""
    row = ledger.get("fleet_rows")
    if row:
        found = ledger.sql.execute(
            f"select id, {TELLING} "  # noqa: S608 (our words)
            "from jobs where id > ? and reference_id is not null and (job_id is not null or unanswered > 0) "
            "order by id limit ?",
            (int(row), TOGETHER),
        ).fetchall()
        is_all = len(found) < TOGETHER
        return Untold(_tellings(found), {"fleet_rows": "" if is_all else str(found[-1][0])}, is_all=is_all)
    found = ledger.sql.execute(
        f"select event_log.id, {TELLING} "  # noqa: S608 (our words)
        "from event_log indexed by events_submitted join jobs on jobs.id = event_log.job "
        "where event_log.event = 'submitted' and event_log.id > ? and job_id is not null order by event_log.id limit ?",
        (int(ledger.get("fleet_events") or 0), TOGETHER),
    ).fetchall()
    mark = {"fleet_events": str(found[-1][0])} if found else {}
    return Untold(_tellings(found), mark, is_all=len(found) < TOGETHER)


def _tellings(rows: Sequence[tuple[int, str, int, str, int, str]]) -> list[Telling]:
    return [Telling(ours, frames, job_id, bool(is_open), day) for _, ours, frames, job_id, is_open, day in rows]


def not_granted(ledger: Ledger, answers: Sequence[tuple[Job, Granted, float]]) -> None:
    """Write what keeps jobs from being sent that were ready, each with the seconds after which to ask again.

    What changed since it was read is left alone.
    """
    for job, answer, seconds in answers:
        row = ledger.sql.execute(
            "select state, reference_id, lookup, digest, unanswered from jobs where id = ?", (job.id,)
        ).fetchone()
        if row is None or row[:3] != (State.PENDING, job.reference_id, None):
            continue
        if answer.say is Say.THEIRS:
            _take_over(ledger, job, answer.job_id, is_proven=row[4] > 0 or (row[3] or "")[:DIGEST_DIGITS] in row[1])
        elif answer.say in REFUSALS:
            spend.refuse(ledger, job.id, REFUSALS[answer.say], answer.why, answer.seconds)
        else:
            at = iso(ledger.now + timedelta(seconds=seconds))
            ledger.set(job.id, reason="another host of the fleet is sending it", error_code=CODE, next_attempt_at=at)


def _take_over(ledger: Ledger, job: Job, job_id: str, *, is_proven: bool) -> None:
    """Write that a job was sent by another host; where its id does not tell its content, the target's lists must."""
    if not is_proven:
        ledger.move(
            job.id,
            State.PENDING,
            State.PENDING,
            ELSEWHERE,
            reason=f"{ELSEWHERE}: looking for the job in {ledger.target}'s lists",
            error_code=CODE,
            lookup="duplicate",
            next_attempt_at=iso(ledger.now),
        )
        return
    jobs.accepted(ledger, job.id, job_id, ELSEWHERE)
    ledger.set(job.id, edition=job.edition, tag=job.tag, batch_id=job.batch_id, priority_weight=job.priority_weight)


def put_off(ledger: Ledger, after: int) -> list[tuple[int, str]]:
    """Return rows beyond an id whose jobs wait for another day, with their reference ids, which tell their content."""
    return ledger.sql.execute(
        "select id, reference_id from jobs where state = 'pending' and error_code = ? and lookup is null and id > ? "
        "and instr(reference_id, substr(digest, 1, ?)) > 0 order by id limit ?",
        (SPEND, after, DIGEST_DIGITS, TOGETHER),
    ).fetchall()


def sent_elsewhere(ledger: Ledger, reference_id: str, job_id: str) -> bool:
    """Write that another host has sent what waits here, of this very content; return whether it was."""
    row = ledger.sql.execute(
        "select id from jobs where reference_id = ? and state = 'pending' and lookup is null", (reference_id,)
    ).fetchone()
    if row is None:
        return False
    ledger.recent.forget(row[0])
    jobs.accepted(ledger, row[0], job_id, ELSEWHERE)
    return True


def pauses(ledger: Ledger, *, paused: bool) -> None:
    """Write whether the whole fleet is paused."""
    if bool(ledger.get("fleet_paused")) != paused:
        ledger.put(fleet_paused="1" if paused else "")


def away(ledger: Ledger, text: str, since: str, *, refuses: bool) -> None:
    """Write that the fleet's database is away, or `refuses` us: then a person must mend it."""
    ledger.put(fleet=text, fleet_since=since, fleet_refuses="1" if refuses else "")
    past.waits_for_fleet(ledger)
    ledger.record(None, "outage", text)


def back(ledger: Ledger, text: str) -> None:
    """Write that it is back."""
    ledger.put(fleet="", fleet_refuses="")
    ledger.record(None, "outage", text)
