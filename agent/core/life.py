"""Whether an agent is alive, as its ledger shows it. Pure."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

HEARTBEAT_SECONDS = 20.0
"""How often a running agent writes that it is alive."""
SILENT_SECONDS = 180.0
"""An agent that has written nothing for so long is dead, or hangs: nine heartbeats did not come."""


class Life(StrEnum):
    """How an agent is. `STOPPED` is what a person, or a shutdown, has asked for; `SILENT` nobody has."""

    NEVER_RAN = "never ran"
    RUNNING = "running"
    STOPPED = "stopped"
    SILENT = "silent"


def life(agent: Mapping[str, str], last: str, now: datetime) -> Life:
    """Return how the agent is by what it says of itself, and which it did `last`: it `started`, or `stopped`.

    A ledger that keeps events for so long only may have forgotten the start of an agent that is alive.
    """
    if not last and not agent.get("started_at"):
        return Life.NEVER_RAN
    if last == "stopped":
        return Life.STOPPED
    return Life.SILENT if silence(agent, now) > SILENT_SECONDS else Life.RUNNING


def silence(agent: Mapping[str, str], now: datetime) -> float:
    """Return the seconds since the last heartbeat. One that lies ahead was written before the clock was set back."""
    return abs((now - datetime.fromisoformat(agent["heartbeat_at"])).total_seconds())
