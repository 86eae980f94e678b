"""What is written of a remote that is away: that it is, once an hour that it still is, and that it is back.

Each function runs inside a transaction of its caller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.ledger.store import iso

if TYPE_CHECKING:
    from agent.ledger.store import Ledger

OUTAGE = "outage"


def target_away(ledger: Ledger, text: str) -> None:
    """Write that the target is away, or still is."""
    if not ledger.get("outage"):
        ledger.put(outage_since=iso(ledger.now))
    ledger.put(outage=text)
    ledger.record(None, OUTAGE, text)


def target_back(ledger: Ledger, text: str) -> None:
    """Write that the target is back."""
    ledger.put(outage="")
    ledger.record(None, OUTAGE, text)


def unpublished(ledger: Ledger, text: str) -> None:
    """Write that files cannot be published, or still cannot: a person is to look at it."""
    if not ledger.get("unpublished"):
        ledger.put(unpublished_since=iso(ledger.now))
    ledger.put(unpublished=text)
    ledger.record(None, OUTAGE, text)


def published(ledger: Ledger, text: str) -> None:
    """Write that files can be published again."""
    ledger.put(unpublished="")
    ledger.record(None, OUTAGE, text)
