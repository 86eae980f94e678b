"""What a host asks of its fleet, and tells it: `agent/fleet` is the way to a real one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from agent.core.grants import Grants
from agent.ledger import fleet as notes
from agent.ledger import past, spend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.fleet.records import Beat, Budget, Memory, Mirrored, Told
    from agent.ledger.store import Ledger

log = logging.getLogger(__package__)

TIMES = 3
"""So many of our signs of life in a row must have skipped numbers before it is said: once may be chance."""
LONG_KNOWN = 10
"""Signs of life before the first one of a new ledger, beyond which the host had another ledger."""


class Fleet(Grants, Protocol):
    """The way to what all hosts share; each question may raise FleetUnavailable."""

    budget: Budget

    def remember(self, memory: Memory) -> None:
        """Go on with what was kept over a restart."""

    def trust(self, database: str) -> None:
        """Ask this database for grants: all that was sent from here was told to it."""

    def beat(self, beat: Beat) -> Told:
        """Give a sign of life, and be told what holds for all."""

    def mirror(self, rows: Sequence[Mirrored]) -> list[str]:
        """Tell what was sent from here; return what is to be told again later."""

    def jobs(self, reference_ids: Sequence[str]) -> dict[str, str]:
        """Return the job_ids of those of these ids that were sent."""

    def block(self, reason: str) -> None:
        """Let no host send, or with '' let them again."""

    def hold(self, seconds: float) -> None:
        """Let no host send for so long."""

    def close(self) -> None:
        """Close what is open."""


class Namesake:
    """Says so where another agent gives signs of life under our name: both would be granted the same jobs.

    Each sign of life is counted, so that ours then skip numbers time after time.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._last = self._skips = 0
        self._is_told = False

    def lost(self) -> None:
        """Take note that a sign of ours may have been counted unheard."""
        self._last = 0

    def see(self, number: int) -> None:
        """Take note of the number of our newest sign of life."""
        if self._last:
            self._skips = self._skips + 1 if number > self._last + 1 else 0
        self._last = number
        if self._skips == TIMES and not self._is_told:
            self._is_told = True
            log.error("another agent is in the fleet as %s, too: each must have a FLEET_HOST of its own", self._host)


def heed(ledger: Ledger, told: Told, *, reconsider: bool) -> bool:
    """Write what the fleet says; return whether sending is paused."""
    if told.must_mirror:
        notes.meet(ledger, told.memory.database)
    _, number = notes.memory(ledger)
    past.told_by_fleet(ledger, known=told.memory.number > number + LONG_KNOWN)
    notes.pauses(ledger, paused=told.paused)
    ledger.put(fleet_number=str(told.memory.number))
    if reconsider:
        spend.reconsider(ledger)
    return past.is_paused(ledger)
