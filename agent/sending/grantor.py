"""Who grants: this host alone by its own gate, or the fleet that it is a member of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from agent.core.grants import Asked, Granted, Grants, Say
from agent.host.workers import AtOnce

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.errors import FleetUnavailable
    from agent.host.workers import Pool
    from agent.targets.gate import Gate


class Grantor(Grants, Protocol):
    """Who grants: this host alone, or its fleet.

    `pool` does the asking. `is_shared` tells that a fleet decides and counts; `is_open` that it may be asked; `is_met`
    that it has said what this host has to know before it begins. `trouble` says what is away, or is ''; `spent` why
    nothing more may be sent today, or ''.
    """

    pool: Pool
    is_shared: bool
    is_open: bool
    is_met: bool
    trouble: str

    @property
    def spent(self) -> str:
        """Why no job at all may be sent today, or ''."""

    def failed(self, error: FleetUnavailable) -> None:
        """Take note that it could not be asked."""

    def is_shut(self) -> None:
        """Take note that it lets nothing go."""

    def blocks(self, reason: str) -> None:
        """Take note that the target refuses us, or with '' that it does not any more."""

    def start(self, wake: Callable[[], None]) -> None:
        """Begin; `wake` is called where something has changed."""

    def close(self, seconds: float) -> None:
        """End, within `seconds`."""


class Alone:
    """No fleet: the rate is this host's own, and the ledger counts what is spent, in the transaction of the intent."""

    is_shared = False
    is_open = True
    is_met = True
    trouble = ""
    spent = ""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.pool: Pool = AtOnce()

    def ask(self, asked: Sequence[Asked]) -> list[Granted]:
        """Let as many go as the rate has starts for."""
        count, wait = self._gate.starts(len(asked))
        says = [Say.GO] * count + [Say.WAIT] * (len(asked) - count)
        return [Granted(each.reference_id, say, seconds=wait) for each, say in zip(asked, says, strict=True)]

    def failed(self, error: FleetUnavailable) -> None:
        """Nothing can fail."""

    def is_shut(self) -> None:
        """Nobody else shuts."""

    def blocks(self, reason: str) -> None:
        """Nobody else is to know."""

    def start(self, wake: Callable[[], None]) -> None:
        """Nothing runs."""

    def close(self, seconds: float) -> None:
        """Nothing runs."""
