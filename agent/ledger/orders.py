"""What a person orders: retry, resubmit, dismiss, baseline, pause. A running service obeys within two seconds.

Each function runs inside a transaction of its caller.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.core.states import CHANGED, MOVES, SENT, SPEND, UNREAD, UNREADABLE, State
from agent.ledger import past, spend
from agent.ledger.related import known
from agent.ledger.store import iso
from agent.ledger.units import UNFROZEN, write_settled

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Sequence

    from agent.ledger.store import Ledger
    from agent.model import Unit


BEFORE = "there before the baseline"
RETRIED = frozenset({State.FAILED, State.HELD, State.INVALID})
"""States that `retry` may be about,"""
RESUBMITTED = frozenset({State.HELD})
"""and `resubmit`,"""
DISMISSED = frozenset(state for state, then in MOVES.items() if State.IGNORED in then) - {State.GONE}
"""and `dismiss`, where they are not named one by one."""


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
    frame_count: int


def named(ledger: Ledger, name: str) -> list[Target]:
    """Return the rows of a path or reference_id."""
    return _select(ledger.sql, "path = ? or reference_id = ?", name, name)


def below(ledger: Ledger, folder: str, states: Collection[State]) -> list[Target]:
    """Return the rows below a folder ('': all) that are in one of the states."""
    if not folder:
        return in_states(ledger, states)
    after = f"{folder}0"  # `0` comes after `/`
    return _select(ledger.sql, f"path > ? and path < ? and {_are(states)}", f"{folder}/", after)


def in_states(ledger: Ledger, states: Collection[State]) -> list[Target]:
    """Return every row that is in one of the states."""
    return _select(ledger.sql, _are(states))


def again(ledger: Ledger, rows: Iterable[Target]) -> list[Target]:
    """Return rows as they are now, in the same order."""
    ids = [row.id for row in rows]
    now = {row.id: row for row in of_ids(ledger.sql, ids)}
    return [now[row] for row in ids if row in now]


def of_ids(sql: sqlite3.Connection, ids: Sequence[int]) -> list[Target]:
    """Return the rows of some ids, oldest first."""
    return _select(sql, "id in (select value from json_each(?))", json.dumps(ids))


def _are(states: Collection[State]) -> str:
    return f"state in ({', '.join(repr(str(state)) for state in sorted(states))})"


def _select(sql: sqlite3.Connection, where: str, *values: str) -> list[Target]:
    return [
        Target(job, path, State(state), code, unanswered, reference_id or "", reason, frames)
        for job, path, state, code, unanswered, reference_id, reason, frames in sql.execute(
            "select id, path, state, error_code, unanswered, reference_id, reason, frame_count "  # noqa: S608 (our words)
            f"from jobs where {where} order by id",
            values,
        )
    ]


def is_sent_by_retry(target: Target) -> bool:
    """Tell whether `retry` has a row sent as it is: it is paid for."""
    if target.error_code in UNREAD:
        return False  # it may not have been read; it goes on by itself once that is mended
    return target.state is State.FAILED or (target.state is State.HELD and not is_change(target))


def is_sent_by_resubmit(target: Target) -> bool:
    """Tell whether `resubmit` has a row sent: not where what is there cannot be sent, which has no id."""
    return is_change(target) and bool(target.reference_id)


def retry(ledger: Ledger, target: Target) -> State | None:
    """Give a refused, held or invalid unit another try; return its new state, None where `retry` does not apply.

    One that could not be read is tried at once. What changed after submission is not sent by this: that is
    `resubmit`'s.
    """
    if target.state is State.INVALID:
        reason = "to be read again, as asked"
        ledger.move(target.id, target.state, State.SETTLING, "retry", reason=reason, error_code="")
        return State.SETTLING
    if target.state is State.SETTLING and target.error_code == UNREADABLE:
        ledger.set(target.id, reason="to be read again, as asked", error_code="")
        return State.SETTLING
    if is_sent_by_retry(target):
        frozen = {} if target.unanswered else UNFROZEN
        if target.error_code == SPEND:  # a person pays for it, whatever the limit says
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

    It applies to held changes alone, and not where what is there now cannot be sent.
    """
    if not is_sent_by_resubmit(target):
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


def may_be_dismissed(target: Target) -> bool:
    """Tell whether a unit can be said to need no job: not one that was sent already, or is being sent."""
    # No answer is waited for of a duplicate, whose lists were looked through, nor of what has failed at the target.
    is_open = target.unanswered and target.state not in (State.DUPLICATE, State.FAILED)
    return not is_open and State.IGNORED in MOVES[target.state]


def dismiss(ledger: Ledger, target: Target) -> bool:
    """Mark a unit as needing no job; False where it was sent already, or is being sent."""
    if not may_be_dismissed(target):
        return target.state is State.IGNORED
    reason = "dismissed"
    ledger.move(target.id, target.state, State.IGNORED, reason, reason=reason, next_attempt_at=None)
    return True


def set_aside(ledger: Ledger, unit: Unit) -> bool:
    """Mark a unit as there before the baseline; False where it was sent already, or may have been."""
    rows = [row for row in known(ledger.sql, unit.path, unit.kind) if row.state is not State.GONE]
    if any(row.deleted_at and row.state in SENT and row.digest == unit.digest for row in rows):
        return False  # what was sent is back
    rows = [row for row in rows if not row.deleted_at]
    newest = rows[-1] if rows else None
    if newest is not None and (newest.state in SENT or newest.unanswered):
        return False
    if newest is None or newest.state is not State.IGNORED:
        row = newest.id if newest else None
        write_settled(ledger, row, unit, State.IGNORED, reason=BEFORE)
    return True


def pause(ledger: Ledger, *, paused: bool) -> bool:
    """Stop, or start, sending; return whether it was stopped before."""
    before = past.is_paused(ledger) if not paused else bool(ledger.get("paused"))
    ledger.put(paused="1" if paused else "")
    if not paused:
        ledger.put(paused_why="")
        past.decided(ledger)
    if before != paused:
        ledger.record(None, "paused" if paused else "resumed")
    return before
