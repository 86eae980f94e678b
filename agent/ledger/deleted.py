"""What becomes of a row whose files were seen deleted while a request for it was on its way, or may have been.

Each function runs inside a transaction of its caller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.states import State
from agent.model import basename

if TYPE_CHECKING:
    from agent.ledger.store import Ledger


def end_if_deleted(ledger: Ledger, job: int) -> bool:
    """Have a row be `gone` that was not sent after all, and whose files were seen deleted; return whether it is.

    Nothing would look at it any more: what is at its path since then has a row of its own.
    """
    row = ledger.sql.execute(
        "select path, state from jobs where id = ? and deleted_at is not null and unanswered = 0 "
        "and state in ('pending', 'settling')",
        (job,),
    ).fetchone()
    if row is None:
        return False
    reason = f"deleted before it was submitted ({basename(row[0])})"
    cleared = {"error_code": "", "reference_id": None, "next_attempt_at": None, "lookup": None, "deleted_at": None}
    ledger.move(job, State(row[1]), State.GONE, reason, reason=reason, **cleared)
    return True
