"""A ledger to be looked at: rows of every state, written as they are said."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from agent.host.clock import utc_now
from agent.ledger.store import Ledger, iso

if TYPE_CHECKING:
    from pathlib import Path

WHY = {
    "invalid": ("", "cut short: the JPEG has no end marker (EOI); copy it again"),
    "held": ("gaps", "frame numbers are missing: 7"),
    "failed": ("FS_0007", "Playment refused it"),
    "duplicate": ("reference-id", "Playment has a job of this reference_id that was not sent from here"),
}
STATES = ("settling", "pending", "submitted", "completed", *WHY, "ignored")


def put(ledger: Ledger, path: str, state: str, **columns: Any) -> int:
    """Write a job's row, and the event of its state; return its id."""
    now = iso(ledger.now)
    code, reason = WHY.get(state, ("", ""))
    is_sent = state in ("submitted", "completed")
    given = {
        "path": path,
        "kind": "image",
        "state": state,
        "reason": reason,
        "error_code": code,
        "frame_count": 1,
        "reference_id": None if state in ("settling", "invalid") else f"{path}~0123456789ab",
        "job_id": f"job of {path}" if is_sent else None,
        "submitted_at": now if is_sent else None,
        "completed_at": now if state == "completed" else None,
        "first_seen_at": now,
        "updated_at": now,
        **columns,
    }
    marks = ", ".join("?" * len(given))
    job = ledger.sql.execute(f"insert into jobs ({', '.join(given)}) values ({marks})", [*given.values()]).lastrowid
    ledger.record(job, state)
    return job or 0


def fill(path: Path, *, frames: int = 12, **agent: str) -> dict[str, int]:
    """Make a ledger with a job in each state, images and a sequence, and an agent that runs; return their ids."""
    with contextlib.closing(Ledger(path, utc_now)) as ledger, ledger.transaction():
        now = iso(ledger.now)
        ledger.put(version="0.1.0", pid="1", started_at=now, heartbeat_at=now, last_scan_at=now, past="known", **agent)
        ledger.record(None, "started")
        ids = {state: put(ledger, f"cam/{state}.jpg", state) for state in STATES}
        ids["changed"] = put(ledger, "drive", "held", kind="sequence", frame_count=frames, error_code="changed")
        return ids
