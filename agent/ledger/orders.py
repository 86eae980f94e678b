"""What a person orders: retry, resubmit, dismiss, baseline, pause. A running service obeys within two seconds.

Each function runs inside a transaction of its caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.core.states import MOVES, SENT, UNREAD, State
from agent.ledger import spend
from agent.ledger.related import known
from agent.ledger.store import iso
from agent.ledger.units import UNFROZEN, write_settled

if TYPE_CHECKING:
    from agent.ledger.store import Ledger
    from agent.model import Unit


CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Target:
    """A row that an order is about."""

    id: int
    path: str
    state: State
    error_code: str
    unanswered: int
    reference_id: str
    reason: str


def targets(ledger: Ledger, name: str) -> list[Target]:
    """Return the rows of a path or reference_id; for a folder that is no unit itself, the rows below it."""
    exact = _select(ledger, "path = ?1 or reference_id = ?1", name)
    if exact:
        return exact
    return _select(ledger, "substr(path, 1, length(?1)) = ?1", f"{name}/")


def all_waiting_for_a_person(ledger: Ledger) -> list[Target]:
    """Return every row that `retry` may be about."""
    return _select(ledger, "state in ('failed', 'held', 'invalid')")


def _select(ledger: Ledger, where: str, *values: str) -> list[Target]:
    return [
        Target(job, path, State(state), code, unanswered, reference_id or "", reason)
        for job, path, state, code, unanswered, reference_id, reason in ledger.sql.execute(
            f"select id, path, state, error_code, unanswered, reference_id, reason from jobs where {where} order by id",  # noqa: S608
            values,
        )
    ]


def retry(ledger: Ledger, target: Target) -> State | None:
    """Give a refused, held or invalid unit another try; return its new state, None where `retry` does not apply.

    What changed after submission is not sent by this: that is `resubmit`'s.
    """
    if target.state is State.INVALID:
        reason = "to be read again, as asked"
        ledger.move(target.id, target.state, State.SETTLING, "retry", reason=reason, error_code="")
        return State.SETTLING
    if target.error_code in UNREAD:
        return None  # it may not have been read; it goes on by itself once that is mended
    if target.state is State.FAILED or (target.state is State.HELD and not is_change(target)):
        frozen = {} if target.unanswered else UNFROZEN
        if target.error_code == spend.CODE:  # a person pays for it, whatever the limit says
            spend.count(ledger, target.id)
        ledger.move(
            target.id,
            target.state,
            State.PENDING,
            "retry",
            reason="to be sent, as asked",
            error_code="",
            attempts=0,
            next_attempt_at=iso(ledger.now),
            **frozen,
        )
        return State.PENDING
    return None


def resubmit(ledger: Ledger, target: Target) -> bool:
    """Send what changed after submission as a new job, under its own id; False where `resubmit` does not apply.

    It applies to held changes alone, and not where what is there now cannot be sent: such a row has no id.
    """
    if not is_change(target) or not target.reference_id:
        return False
    ledger.move(
        target.id,
        target.state,
        State.PENDING,
        "resubmit",
        reason="to be sent as a new job, as asked",
        error_code="",
        attempts=0,
        next_attempt_at=iso(ledger.now),
        **UNFROZEN,
    )
    return True


def is_change(target: Target) -> bool:
    """Tell whether a row waits because its content changed after it was submitted or dismissed."""
    return target.state is State.HELD and target.error_code == CHANGED


def dismiss(ledger: Ledger, target: Target) -> bool:
    """Mark a unit as needing no job; False where it was sent already, or is being sent."""
    if target.unanswered or State.IGNORED not in MOVES[target.state]:
        return target.state is State.IGNORED
    reason = "dismissed"
    ledger.move(target.id, target.state, State.IGNORED, reason, reason=reason, next_attempt_at=None)
    return True


def set_aside(ledger: Ledger, unit: Unit) -> bool:
    """Mark a unit as there before the baseline; False where it was sent already, or may have been."""
    rows = [row for row in known(ledger.sql, unit.path, unit.kind) if row.state is not State.GONE]
    newest = rows[-1] if rows else None
    if newest is not None and (newest.state in SENT or newest.unanswered):
        return False
    if newest is None or newest.state is not State.IGNORED:
        row = newest.id if newest else None
        write_settled(ledger, row, unit, State.IGNORED, reason="there before the baseline")
    return True


def pause(ledger: Ledger, *, paused: bool) -> bool:
    """Stop, or start, sending; return whether it was stopped before."""
    before = bool(ledger.get("paused"))
    ledger.put(paused="1" if paused else "")
    if before != paused:
        ledger.record(None, "paused" if paused else "resumed")
    return before
