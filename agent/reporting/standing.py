"""What keeps all, or much, from being sent: for the commands, and for the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agent.core import past, unset_clock
from agent.ledger import reports
from agent.reporting import waits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime


class Trouble(NamedTuple):
    """What is wrong: a word for it, a sentence, and since when, '' where that is not written down."""

    label: str
    text: str
    since: str = ""


def troubles(agent: Mapping[str, str], now: datetime) -> Iterator[Trouble]:
    """Yield each thing that keeps all, or much, from being sent, by what the agent says of itself."""
    if until := waits.held(agent, now):
        yield Trouble("HELD", f"the target has asked for no request until {until}")
    if limit := reports.spend_limit(agent, now):
        yield Trouble("SPEND LIMIT", limit)
    if unlisted := agent.get("unlisted"):
        yield Trouble("UNREADABLE", unlisted, agent.get("unlisted_since", ""))
    if no_clock := unset_clock.told(now):
        yield Trouble("NO CLOCK", no_clock)
    if paused := past.why_paused(agent):
        yield Trouble("PAUSED, nothing is sent", paused)
    if outage := agent.get("outage"):
        yield Trouble("OUTAGE", outage, agent.get("outage_since", ""))
    if fleet := agent.get("fleet"):
        yield Trouble("FLEET, nothing new is sent", fleet, agent.get("fleet_since", ""))
    if news := agent.get("news_trouble"):
        yield Trouble("NEWS", news)
    if blocked := agent.get("blocked"):
        yield Trouble("BLOCKED, nothing is sent", blocked)
