"""What becomes of a row whose files are not there any more, and which was not sent.

Each function runs inside a transaction of its caller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.states import State
from agent.model import basename

if TYPE_CHECKING:
    from agent.ledger.store import Ledger


def end(ledger: Ledger, job: int, path: str, now: State, why: str = "", **cleared: None) -> None:
    """Have a row be `gone` that was not sent: its files were deleted, or (`why`) are left alone."""
    reason = why or f"deleted before it was submitted ({basename(path)})"
    columns = {"error_code": "", "reference_id": None, "next_attempt_at": None, **cleared}
    ledger.move(job, now, State.GONE, reason, reason=reason, **columns)


def end_if_deleted(ledger: Ledger, job: int) -> bool:
    """Have a row be `gone` that was not sent after all, if its files were seen deleted; return whether they were.

    Nothing would look at it any more: what is at its path since then has a row of its own.
    """
    row = ledger.sql.execute(
        "select path, state from jobs where id = ? and deleted_at is not null and unanswered = 0 "
        "and state in ('pending', 'settling')",
        (job,),
    ).fetchone()
    if row is None:
        return False
    path, state = row
    end(ledger, job, path, State(state), lookup=None, deleted_at=None)
    return True
