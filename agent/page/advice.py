"""What a person can do about a job, and how it is said on a command line."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from agent.core.states import UNREAD, UNREADABLE, State
from agent.ledger import orders
from agent.ledger.orders import Target

if TYPE_CHECKING:
    from collections.abc import Mapping

HINTS = {
    State.INVALID: "Copied again whole, it is read by itself.",
    State.DUPLICATE: "Look at it at the target; 'dismiss' leaves it.",
    State.SUBMITTED: "Look at both at the target.",
    State.COMPLETED: "Look at both at the target.",
    State.SETTLING: "It is read by itself as soon as it can be.",
}
WORDS = {
    "arrival": "a picture is still on its way, or was left behind",
    "left-out": "files of no kind that is taken lie beside its frames",
    "format": "a format that annotators' pages do not show",
    "gaps": "frame numbers are missing",
    "order": "its frames' order is doubtful",
    "changed": "changed after it was sent",
    "kind-changed": "an image and a folder have changed places",
    "sent-before": "was sent before, under another name",
    "spend": "beyond the spend limit",
    "settings": "a file of settings stops it",
    "unreadable": "could not be read",
    "twins": "is there twice",
}
"""The reader's words for our own codes of holds; a target's codes are its own words."""


def target(row: Mapping[str, Any]) -> Target:
    """Return a job's row as orders are about it."""
    return Target(
        row["id"],
        row["path"],
        State(row["state"]),
        row["error_code"],
        row["unanswered"],
        row["reference_id"] or "",
        row["reason"],
        row["frame_count"],
    )


def possible(row: Target) -> list[str]:
    """Return the orders that would do something about a job, the likeliest first."""
    found = []
    if orders.is_sent_by_resubmit(row):
        found.append("resubmit")
    is_unread = row.state is State.SETTLING and row.error_code == UNREADABLE
    if orders.is_sent_by_retry(row) or row.state is State.INVALID or is_unread:
        found.append("retry")
    if orders.may_be_dismissed(row):
        found.append("dismiss")
    return found


def hint(row: Target) -> str:
    """Return what a person may do that is no order, or why none is needed."""
    if row.error_code in UNREAD:
        return "It goes on by itself as soon as that is mended."
    return HINTS.get(row.state, "")


def word(state: str, code: str) -> str:
    """Return what a kind of trouble is called."""
    return f"{state}: {WORDS.get(code, code)}" if code else state


def command(begin: str, order: str, path: str) -> str:
    """Return an order as a person types it."""
    dashes = "-- " if path.startswith("-") else ""
    return f"{begin} {order} {dashes}{shlex.quote(path)}"
