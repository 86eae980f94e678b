"""What the running agent writes of itself, and what it learns from the ledger at its start.

Each function runs inside a transaction of its caller.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from agent import __version__
from agent.core.retry import ASKED
from agent.core.unset_clock import is_unset
from agent.core.whereabouts import Whereabouts
from agent.ledger import counters, jobs, past, spend
from agent.ledger.store import iso

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.ledger.store import Ledger

log = logging.getLogger(__package__)


@dataclass(frozen=True, slots=True)
class LastRun:
    """What the last run has left: the watch folder that the ledger's files are in, and whether sending is paused.

    `is_here` tells whether that is the one that is there now; `inodes_last` is False where the inodes of its files were
    found not to. `held_for` is for how many seconds more the target has asked not to be asked: Retry-After holds over a
    restart.
    """

    home: Whereabouts
    is_here: bool
    inodes_last: bool
    paused: bool
    held_for: float


def begin(ledger: Ledger, here: Whereabouts) -> LastRun:
    """Write who runs here, and take up what a crash left.

    Another watch folder than that of the last run is not written down: it is only when something is seen in it.
    """
    is_new = past.has_none(ledger.sql)
    past.begin(ledger)
    last = Whereabouts(ledger.get("watch_dir_identity"), ledger.get("watch_dir_place"))
    is_here = here.is_of_last_time(last)
    held_until = ledger.get("held_until")
    at = iso(ledger.now)
    ledger.put(
        version=__version__,
        pid=str(os.getpid()),
        started_at=at,
        unsure_until="" if is_new else at,
        heartbeat_at=at,
        blocked="",
        unlisted="",
        unlisted_since="",
        outage="",
        unpublished="",
        fleet="",
        fleet_refuses="",
        fleet_paused="",
    )
    if is_here:
        watches(ledger, here)
    ledger.record(None, "started", f"version {__version__}")
    spend.reconsider(ledger)
    recovered = jobs.recover(ledger)
    if recovered:
        log.warning("%d requests were under way at the last stop: sent again, under the same ids", recovered)
    if ledger.get("paused"):
        log.warning("sending is paused: %s", ledger.get("paused_why") or "a person has said so")
    # By a clock that is not set it would be held for a day: what was asked for is over when it is.
    is_held = held_until and not is_unset(ledger.now)
    held = (datetime.fromisoformat(held_until) - ledger.now).total_seconds() if is_held else 0.0
    return LastRun(
        here if is_here else last,
        is_here,
        inodes_last=not here.place or ledger.get("inodes_change") != here.place,
        paused=past.is_paused(ledger),
        held_for=min(max(0.0, held), ASKED.longest),
    )


def alive(ledger: Ledger, sending: str, sums: Mapping[tuple[str, str], float]) -> None:
    """Write that the agent is alive, how many jobs it may send at once, and how far its counters are."""
    ledger.put(heartbeat_at=iso(ledger.now), sending=sending)
    counters.keep(ledger, sums)


def ended(ledger: Ledger, sums: Mapping[tuple[str, str], float], *, stopped: bool) -> None:
    """Write how far the counters are, and that the agent was `stopped`, which one that dies of an error was not."""
    counters.keep(ledger, sums)
    if stopped:
        ledger.record(None, "stopped")


def watches(ledger: Ledger, here: Whereabouts) -> None:
    """Write which folder the ledger's files are in."""
    ledger.put(watch_dir_identity=here.identity, watch_dir_place=here.place)


def inodes_change(ledger: Ledger, here: Whereabouts) -> None:
    """Write that the inodes of the files here do not last: the next run knows from its start."""
    ledger.put(inodes_change=here.place)


def unlisted(ledger: Ledger, told: str, seconds: float) -> None:
    """Write which folders cannot be listed, for so many seconds, or with '' that all can."""
    since = iso(ledger.now - timedelta(seconds=seconds)) if told else ""
    ledger.put(unlisted=told, unlisted_since=since)


def data_version(ledger: Ledger) -> int:
    """Return a number that differs after another process has written (https://www.sqlite.org/pragma.html)."""
    return int(ledger.sql.execute("pragma data_version").fetchone()[0])
