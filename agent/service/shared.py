"""What a host asks of its fleet, and tells it: `agent/fleet` is the way to a real one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.core.grants import Asked, Granted
    from agent.fleet.records import Beat, Budget, Memory, Mirrored, Told


class Fleet(Protocol):
    """The way to what all hosts share; each question may raise FleetUnavailable."""

    budget: Budget

    def remember(self, memory: Memory) -> None:
        """Go on with what was kept over a restart."""

    def trust(self, database: str) -> None:
        """Ask this database for grants: all that was sent from here was told to it."""

    def beat(self, beat: Beat) -> Told:
        """Give a sign of life, and be told what holds for all."""

    def ask(self, asked: Sequence[Asked]) -> list[Granted]:
        """Return a verdict for each id."""

    def mirror(self, rows: Sequence[Mirrored]) -> list[str]:
        """Tell what was sent from here; return what is to be told again later."""

    def block(self, reason: str) -> None:
        """Let no host send, or with '' let them again."""

    def hold(self, seconds: float) -> None:
        """Let no host send for so long."""

    def close(self) -> None:
        """Close what is open."""
