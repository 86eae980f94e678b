"""The states of a job and the legal moves between them. Pure.

The states are those of the ledger's `jobs.state`. `check_move` is called by the ledger before every change of state, so
that a move which is not in `MOVES` can never be written.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from agent.errors import IllegalMove

if TYPE_CHECKING:
    from collections.abc import Mapping


class State(StrEnum):
    """Where a job stands; what each means is told in the README."""

    SETTLING = "settling"
    PENDING = "pending"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    COMPLETED = "completed"
    HELD = "held"
    INVALID = "invalid"
    FAILED = "failed"
    DUPLICATE = "duplicate"
    GONE = "gone"
    IGNORED = "ignored"


MOVES: Mapping[State, frozenset[State]] = {
    State.SETTLING: frozenset(
        {State.PENDING, State.HELD, State.INVALID, State.DUPLICATE, State.GONE, State.IGNORED},
    ),
    State.PENDING: frozenset(
        {
            State.SETTLING,  # its files changed before anything was sent
            State.SUBMITTING,
            State.SUBMITTED,  # an earlier try had worked: found in the target's lists
            State.PENDING,  # put off: publishing failed, or a lookup found nothing yet
            State.HELD,
            State.FAILED,
            State.DUPLICATE,
            State.GONE,
            State.IGNORED,
        },
    ),
    State.SUBMITTING: frozenset(
        {State.SUBMITTED, State.PENDING, State.SETTLING, State.FAILED, State.DUPLICATE},
    ),
    State.SUBMITTED: frozenset({State.COMPLETED, State.FAILED}),  # failed: the target took it, and says so later
    State.COMPLETED: frozenset(),
    State.HELD: frozenset({State.PENDING, State.SETTLING, State.GONE, State.IGNORED}),
    State.INVALID: frozenset({State.SETTLING, State.GONE, State.IGNORED}),
    State.FAILED: frozenset({State.PENDING, State.SUBMITTED, State.HELD, State.INVALID, State.IGNORED}),
    State.DUPLICATE: frozenset({State.SUBMITTED, State.IGNORED}),
    State.GONE: frozenset({State.SETTLING, State.IGNORED}),
    State.IGNORED: frozenset(),
}

AT_TARGET = (State.SUBMITTED, State.COMPLETED)
"""States in which the target has a job of ours for certain."""

WAITING = frozenset({State.SETTLING, State.PENDING, State.SUBMITTING})
"""States that the agent itself will move on."""

ATTENTION = frozenset({State.HELD, State.INVALID, State.FAILED, State.DUPLICATE})
"""States that wait for a person."""

UNSENT = frozenset({State.SETTLING, State.PENDING, State.HELD, State.INVALID})
"""States in which a deleted unit becomes `gone`."""

SETTINGS = "settings"
"""The error_code of a hold: a bad file of settings stops it, or it does not fit what one expects."""
ARRIVAL = "arrival"
"""The error_code of a hold: something that should become one of its frames was left behind."""
LEFT_OUT = "left-out"
"""The error_code of a hold: pictures lie beside its frames that are of no kind that is taken."""
TOLD = (ARRIVAL, LEFT_OUT)
UNREAD = (SETTINGS, *TOLD)
"""Holds that end by themselves, as soon as the reason does: what they hold need not have been read."""

UNREADABLE = "unreadable"
"""The error_code of what settles and could not be read: it is tried again until it can."""

SPEND = "spend"
"""The error_code of what waits for another day by the spend guard, or is held since it never fits in one."""

CHANGED = "changed"
"""The error_code of a hold: its content changed after submission."""

SENT = frozenset({State.SUBMITTING, State.SUBMITTED, State.COMPLETED, State.DUPLICATE})
"""States in which the target has, or may have, a job: other content at the path is `held`, never sent unasked."""

DELETABLE = frozenset({State.SUBMITTED, State.COMPLETED, State.DUPLICATE, State.IGNORED})
"""States that outlive their files, which are noted as deleted: what comes under their names later is another drop."""

NOTED = DELETABLE | {State.SUBMITTING}
"""States whose files are noted as deleted: an answer that is on its way may come long after other files have."""


def check_move(now: State, then: State) -> None:
    """Raise IllegalMove unless a job may go from `now` to `then`."""
    if then not in MOVES[now]:
        raise IllegalMove(f"a job cannot go from {now} to {then}")
