"""What is known of the time before a ledger, and whether that, or a person, stops all sending. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

UNKNOWN, KNOWN = "unknown", "known"


def is_new(kept: Mapping[str, str], jobs: int) -> bool:
    """Tell by what the agent says of itself, and by how many jobs there are, whether a ledger has no past.

    Then no agent has run with it, it holds no job, and nobody has looked for one.
    """
    return not jobs and not kept.get("started_at") and kept.get("past") != KNOWN


def is_unknown(kept: Mapping[str, str]) -> bool:
    """Tell by what the agent says of itself whether it is still to be asked what the project had before the ledger."""
    return kept.get("past") == UNKNOWN


def why_paused(kept: Mapping[str, str]) -> str:
    """Say why nothing is sent, by what the agent says of itself; '' where sending is not paused."""
    if not kept.get("paused") and not is_unknown(kept):
        return "the whole fleet is; 'resume --fleet' has it go on" if kept.get("fleet_paused") else ""
    return kept.get("paused_why") or "a person has paused it; 'resume' has it go on"
