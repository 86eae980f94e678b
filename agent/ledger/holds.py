"""What is held unread: below a bad `.playment.toml` file, or beside what should become a frame and does not.

Each function runs inside a transaction of its caller. What was submitted, or may have been, is never changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.states import SETTINGS, UNREAD, State
from agent.ledger.store import iso
from agent.ledger.units import UNFROZEN, notice
from agent.model import shown

if TYPE_CHECKING:
    import sqlite3

    from agent.ledger.store import Ledger
    from agent.model.units import Sight


CLEARED: dict[str, None] = {"next_attempt_at": None, **UNFROZEN}


def hold(ledger: Ledger, sight: Sight, code: str = SETTINGS) -> None:
    """Hold a unit, read or not; `sight.reason` says why, `code` which kind of reason it is.

    It goes on by itself once that is mended. A unit that was submitted, refused, dismissed, or is held for another
    reason stays as it is.
    """
    row = _noticed(ledger, sight)
    if not _may_be_held(row):
        return
    job, state, reason, known, _ = row
    if state is not State.HELD:
        _hold(ledger, job, state, sight.reason, code)
    elif (reason, known) != (sight.reason, code):
        ledger.set(job, reason=sight.reason, error_code=code, updated_at=iso(ledger.now))


def is_to_be_held(sql: sqlite3.Connection, sight: Sight) -> bool:
    """Tell whether `hold` would hold a unit, or holds it already."""
    row = _newest(sql, sight)
    return row is None or row[1] is State.GONE or _may_be_held(row)


def _may_be_held(row: tuple[int, State, str, str, int]) -> bool:
    _, state, _, code, unanswered = row
    return _is_unsent(state, unanswered) or (state is State.HELD and code in UNREAD)


def _is_unsent(state: State, unanswered: int) -> bool:
    return state is State.SETTLING or (state is State.PENDING and not unanswered)


def refuse(ledger: Ledger, sight: Sight) -> None:
    """Write that a file is of no kind that is taken (`invalid`): `sight.reason` says what to do.

    What was sent, or refused, dismissed or held before, stays as it is.
    """
    job, state, _, _, unanswered = _noticed(ledger, sight)
    if _is_unsent(state, unanswered):
        ledger.move(job, state, State.INVALID, sight.reason, reason=sight.reason, error_code="", **CLEARED)


def hold_pending(ledger: Ledger, job: int, reason: str) -> None:
    """Hold a pending job of which nothing was ever sent."""
    row = ledger.sql.execute("select state, unanswered from jobs where id = ?", (job,)).fetchone()
    if row == (State.PENDING, 0):
        _hold(ledger, job, State.PENDING, reason, SETTINGS)


def _hold(ledger: Ledger, job: int, state: State, reason: str, code: str) -> None:
    ledger.move(job, state, State.HELD, reason, reason=reason, error_code=code, **CLEARED)


def _noticed(ledger: Ledger, sight: Sight) -> tuple[int, State, str, str, int]:
    """Return the newest row of a unit, a new one where there is none that is not gone."""
    row = _newest(ledger.sql, sight)
    if row is None or row[1] is State.GONE:
        notice(ledger, sight)
        row = _newest(ledger.sql, sight)
        assert row is not None
    return row


def _newest(sql: sqlite3.Connection, sight: Sight) -> tuple[int, State, str, str, int] | None:
    row = sql.execute(
        "select id, state, reason, error_code, unanswered from jobs where path = ? and kind = ? "
        "and deleted_at is null order by state = 'gone', id desc limit 1",
        (shown(sight.path), sight.kind),
    ).fetchone()
    return (row[0], State(row[1]), *row[2:]) if row else None
