"""How it stands, on one screen."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from agent.core.life import Life, life
from agent.core.states import WAITING
from agent.page import chart
from agent.reporting import standing
from agent.reporting.standing import Trouble

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from agent.page.page import Asked, Page


def read(asked: Asked) -> Mapping[str, Any]:
    """Return how it stands."""
    reads, now = asked.reads, asked.now
    agent = reads.agent()
    alive = life(agent, reads.last_start_or_stop(), now)
    states = {row["state"]: row for row in reads.status()}
    since = (now - timedelta(days=chart.DAYS - 1)).date().isoformat()
    bars = chart.bars(reads.sent_days(since), now.date())
    ever = reads.sent_ever()
    return {
        "agent": defaultdict(str, agent),
        "alive": alive,
        "troubles": [*_of_agent(agent, alive), *standing.troubles(agent, now)],
        "is_paused": bool(agent.get("paused")),
        "states": states,
        "waiting": _sum(states, WAITING),
        "attention": sum(row["jobs"] for row in reads.troubles()),
        "bars": bars,
        "month": {"jobs": sum(bar.jobs for bar in bars), "frames": sum(bar.frames for bar in bars)},
        "ever": ever,
        "cost": cost(asked.page, ever),
        "usual": reads.usual(),
        "oldest": _oldest(states),
    }


def _of_agent(agent: Mapping[str, str], alive: Life) -> Iterator[Trouble]:
    """Yield what is wrong that the command `status` tells in other places."""
    if alive is Life.SILENT:
        text = "it was not stopped, and nothing is noticed or sent: look at its log, and start it"
        yield Trouble("NO SIGN OF LIFE", text, agent.get("heartbeat_at", ""))
    if unpublished := agent.get("unpublished"):
        yield Trouble("UNPUBLISHED", unpublished, agent.get("unpublished_since", ""))


def _sum(states: Mapping[str, Mapping[str, Any]], of: Iterable[str]) -> dict[str, int]:
    found = [states[state] for state in of if state in states]
    return {"jobs": sum(row["jobs"] for row in found), "frames": sum(row["frames"] for row in found)}


def _oldest(states: Mapping[str, Mapping[str, Any]]) -> str:
    """Return since when the oldest waits that is to be sent, '' where none does."""
    return min((states[state]["oldest"] for state in ("pending", "submitting") if state in states), default="")


def cost(page: Page, sent: Mapping[str, int]) -> Decimal | None:
    """Return what was sent in money, None where no price is set."""
    if page.price_per_image is None and page.price_per_frame is None:
        return None
    images = sent["images"] * Decimal(str(page.price_per_image or 0))
    return images + sent["frames"] * Decimal(str(page.price_per_frame or 0))
