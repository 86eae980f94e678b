"""Why pending jobs wait, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.core import past, states, unset_clock
from agent.core.life import Life
from agent.ledger import sums
from agent.ledger.store import iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime


def told(waits: Iterable[Mapping[str, Any]], agent: Mapping[str, str], alive: Life, now: datetime) -> Iterator[str]:
    """Yield a line for each thing that pending jobs wait for."""
    for wait in waits:
        jobs, at, reason = f"{wait['jobs']:,} pending", wait["next_attempt_at"], wait["reason"]
        because = f": {reason}" if reason else ""
        match wait["why"]:
            case sums.TURN:
                yield f"{jobs}: {_why_not_sent(agent, alive, now)}"
            case states.SPEND:
                yield f"{jobs}, by the spend limit{because}"
            case sums.FLEET:
                yield f"{jobs}, for another host of the fleet, next look at {at}{because}"
            case sums.LOOKUP:
                yield f"{jobs}, to be looked up first whether they are there already, next look at {at}{because}"
            case _:
                yield f"{jobs}, to be tried again, next try at {at}{because}"


def held(agent: Mapping[str, str], now: datetime) -> str:
    """Return until when the target has asked not to be asked, '' where it has not."""
    until = agent.get("held_until", "")
    return until if until > iso(now) else ""


def _why_not_sent(agent: Mapping[str, str], alive: Life, now: datetime) -> str:
    """Say why what is due is not sent, or what it waits for: what weighs most."""
    until = held(agent, now)
    sending = agent.get("sending")
    found = (
        "the agent does not run" if alive is not Life.RUNNING else "",
        "sending is blocked" if agent.get("blocked") else "",
        "sending is paused" if past.why_paused(agent) else "",
        "the clock is not set" if unset_clock.is_unset(now) else "",
        "the fleet's database is not reachable" if agent.get("fleet") else "",
        f"the target has asked for a pause until {until}" if until else "",
        "in an outage one job at a time is tried" if agent.get("outage") else "",
        f"their turn comes (sent at once: {sending})" if sending else "their turn comes",
    )
    return next(filter(None, found))
