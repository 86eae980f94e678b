"""Which troubles of all there are now, by what the agent says of itself, and which of them are over. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from agent.core.retry import TELL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

# How a message's title calls it, and what is told once it is over; `{}` stands for who takes the jobs.
WORDS: Mapping[str, tuple[str, str]] = {
    "blocked": ("blocked", "not blocked any more: jobs are sent again"),
    "outage": ("{} is away", "{} is back: jobs are sent again"),
    "unpublished": ("files cannot be published", "files can be published again"),
    "fleet": ("the fleet's database is away", "the fleet's database is back: jobs are sent again"),
    "unlisted": ("folders cannot be read", "all folders can be read again"),
    "unreadable": ("files cannot be read", "all files can be read again"),
    "ledger": ("the ledger cannot be written", "the ledger can be written again"),
    "paused_why": ("sending waits for a person", "sending goes on"),
}
PROVED_BY_SENDING = frozenset({"blocked", "outage", "unpublished", "fleet"})
PROVED_BY_SCAN = frozenset({"unlisted"})
"""A start forgets all these, and finds them again where it is still so: only what proves it shows that one is over."""


def there(
    agent: Mapping[str, str], unreadable: int, ledger: str, told: AbstractSet[str], now: datetime
) -> dict[str, str]:
    """Return the troubles that there are, each as a sentence.

    `unreadable` units cannot be read for long enough to be told; `ledger` says why it cannot be written, or is ''.
    Those that were `told` are there however short.
    """
    found = {key: agent.get(key, "") for key in ("outage", "unpublished", "fleet", "paused_why")}
    found["blocked"] = f"nothing is sent: {agent['blocked']}" if agent.get("blocked") else ""
    found["ledger"] = ledger
    if agent.get("unlisted") and ("unlisted" in told or _seconds_since(agent["unlisted_since"], now) >= TELL_SECONDS):
        found["unlisted"] = agent["unlisted"]
    if unreadable:
        found["unreadable"] = f"files and folders that cannot be read, and are tried again and again: {unreadable:,}"
    return {key: found[key] for key in WORDS if found.get(key)}


def over(
    told: AbstractSet[str], here: AbstractSet[str], seen: AbstractSet[str], *, is_sending: bool, is_scanned: bool
) -> frozenset[str]:
    """Return which of the troubles that were told are over.

    Those `here` are there now, those `seen` were since the agent's start, since which something was sent, or all
    folders were looked at.
    """
    proved = seen | (PROVED_BY_SENDING if is_sending else set()) | (PROVED_BY_SCAN if is_scanned else set())
    return frozenset(told - here) - ((PROVED_BY_SENDING | PROVED_BY_SCAN) - proved)


def _seconds_since(at: str, now: datetime) -> float:
    return (now - datetime.fromisoformat(at)).total_seconds()
