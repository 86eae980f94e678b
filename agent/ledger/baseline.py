"""What `baseline` writes. To be called inside a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.ledger import bulk, orders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.ledger.store import Ledger
    from agent.model import Unit


def set_aside_all(ledger: Ledger, units: Sequence[Unit]) -> int:
    """Mark units as `orders.set_aside` does, and return how many are marked."""
    new = bulk.set_aside_new(ledger, units, orders.BEFORE)
    return len(new) + sum(orders.set_aside(ledger, unit) for index, unit in enumerate(units) if index not in new)
