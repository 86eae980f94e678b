"""What the running agent writes of itself, and what it learns from the ledger at its start.

Each function runs inside a transaction of its caller.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from agent import __version__
from agent.core.retry import ASKED
from agent.ledger import jobs, spend
from agent.ledger.store import iso

if TYPE_CHECKING:
    from agent.ledger.store import Ledger

log = logging.getLogger(__package__)


@dataclass(frozen=True, slots=True)
class LastRun:
    """What the last run has left: the watch folder's identity, and whether sending is paused.

    `held_for` is for how many seconds more Playment has asked not to be asked: Retry-After holds over a restart.
    """

    identity: str
    paused: bool
    held_for: float


def begin(ledger: Ledger, identity: str) -> LastRun:
    """Write who runs here, and take up what a crash left."""
    known, held_until = ledger.get("watch_dir_identity"), ledger.get("held_until")
    at = iso(ledger.now)
    ledger.put(
        version=__version__,
        pid=str(os.getpid()),
        started_at=at,
        heartbeat_at=at,
        blocked="",
        watch_dir_identity=identity,
    )
    ledger.record(None, "started", f"version {__version__}")
    spend.reconsider(ledger)
    recovered = jobs.recover(ledger)
    if recovered:
        log.warning("%d requests were under way at the last stop: sent again, under the same ids", recovered)
    held = (datetime.fromisoformat(held_until) - ledger.now).total_seconds() if held_until else 0.0
    return LastRun(known, bool(ledger.get("paused")), min(max(0.0, held), ASKED.longest))


def data_version(ledger: Ledger) -> int:
    """Return a number that differs after another process has written (https://www.sqlite.org/pragma.html)."""
    return int(ledger.sql.execute("pragma data_version").fetchone()[0])
