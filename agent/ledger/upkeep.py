"""What is done to the ledger while its thread has nothing else to do, so that its files do not grow for ever."""

from __future__ import annotations

import logging
import sqlite3
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from agent.errors import LedgerUnavailable
from agent.ledger.store import milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.ledger.store import Ledger

log = logging.getLogger(__package__)

EVERY_SECONDS = 1.0
AFTER_TROUBLE_SECONDS = 60.0
ROUND_SECONDS = 24 * 3600.0
"""What was kept as a job's last event may not be its last a day later."""
LOOKED_AT_TOGETHER = 1000
"""Events that one step looks at: to delete them all takes a millisecond, and a commit."""


class Upkeep:
    """Takes one small step at a time. All methods are the ledger's thread's; `monotonic` gives seconds.

    Events are kept for `events_days`, None standing for ever; the last one of each job is kept always, and so is the
    last one of each kind of the agent's own.
    """

    def __init__(self, events_days: int | None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._events_days = events_days
        self._monotonic = monotonic
        self._next_at = self._round_at = 0.0
        self._upto = 0

    def step(self, ledger: Ledger) -> None:
        """Do what is to be done now; what cannot be done is told, and tried again a minute later."""
        now = self._monotonic()
        if now < self._next_at:
            return
        self._next_at = now + EVERY_SECONDS
        try:
            ledger.shrink_wal()
            if self._events_days is not None and now >= self._round_at:
                self._delete_events(ledger, self._events_days, now)
        except (LedgerUnavailable, sqlite3.Error) as error:
            self._next_at = now + AFTER_TROUBLE_SECONDS
            log.warning("the ledger cannot be kept small now: %s", error)

    def _delete_events(self, ledger: Ledger, days: int, now: float) -> None:
        """Delete the old ones among the next events; a round ends with the first piece that has none."""
        before = milliseconds(ledger.now - timedelta(days=days))
        piece = "select id, at from event_log where id > ? order by id limit ?"
        rows = ledger.sql.execute(piece, (self._upto, LOOKED_AT_TOGETHER)).fetchall()
        if not any(at < before for _, at in rows):
            self._upto, self._round_at = 0, now + ROUND_SECONDS
            return
        with ledger.transaction():
            ledger.sql.execute(
                "delete from event_log as old where id > ? and id <= ? and at < ? and exists ("
                "select 1 from event_log as new where new.job is old.job and new.id > old.id "
                "and (old.job is not null or new.event = old.event))",
                (self._upto, rows[-1][0], before),
            )
        self._upto = rows[-1][0]
