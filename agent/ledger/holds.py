"""What bad `.playment.toml` files stop: the units below them are held.

Each function runs inside a transaction of its caller. What was submitted, or may have been, is never changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.states import State
from agent.ledger.store import iso
from agent.ledger.units import UNFROZEN, notice
from agent.model import shown

if TYPE_CHECKING:
    import sqlite3

    from agent.ledger.store import Ledger
    from agent.ledger.units import Sight

CODE = "settings"


def hold(ledger: Ledger, sight: Sight) -> None:
    """Hold a unit, read or not; `sight.reason` says why. It goes on by itself once that is mended.

    A unit that was submitted, refused, dismissed, or is held for another reason stays as it is.
    """
    row = _newest(ledger.sql, sight)
    if row is None or row[1] is State.GONE:
        notice(ledger, sight)
        row = _newest(ledger.sql, sight)
        assert row is not None
    if not _may_be_held(row):
        return
    job, state, reason, _, _ = row
    if state is not State.HELD:
        _hold(ledger, job, state, sight.reason)
    elif reason != sight.reason:
        ledger.set(job, reason=sight.reason, updated_at=iso(ledger.now))


def is_to_be_held(sql: sqlite3.Connection, sight: Sight) -> bool:
    """Tell whether `hold` would hold a unit, or holds it already."""
    row = _newest(sql, sight)
    return row is None or row[1] is State.GONE or _may_be_held(row)


def _may_be_held(row: tuple[int, State, str, str, int]) -> bool:
    _, state, _, code, unanswered = row
    return (
        state is State.SETTLING or (state is State.PENDING and not unanswered) or (state is State.HELD and code == CODE)
    )


def hold_pending(ledger: Ledger, job: int, reason: str) -> None:
    """Hold a pending job of which nothing was ever sent."""
    row = ledger.sql.execute("select state, unanswered from jobs where id = ?", (job,)).fetchone()
    if row == (State.PENDING, 0):
        _hold(ledger, job, State.PENDING, reason)


def _hold(ledger: Ledger, job: int, state: State, reason: str) -> None:
    cleared = {"next_attempt_at": None, **UNFROZEN}
    ledger.move(job, state, State.HELD, reason, reason=reason, error_code=CODE, **cleared)


def _newest(sql: sqlite3.Connection, sight: Sight) -> tuple[int, State, str, str, int] | None:
    row = sql.execute(
        "select id, state, reason, error_code, unanswered from jobs where folder = ? and path = ? and kind = ? "
        "order by state = 'gone', id desc limit 1",
        (shown(sight.folder), shown(sight.path), sight.kind),
    ).fetchone()
    return (row[0], State(row[1]), *row[2:]) if row else None
