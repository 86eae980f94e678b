"""When `run --once` is over, and with which exit code. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.core.retry import ONCE, ONCE_SENDING
from agent.core.states import ATTENTION, WAITING, State

if TYPE_CHECKING:
    from collections.abc import Mapping

GROWING = 3.0
"""What still changes after this many settle times is left."""


@dataclass(frozen=True, slots=True)
class RunState:
    """How it stands: jobs by state, units that wait to settle, those of them that still grow after `GROWING` times.

    `unlisted` counts folders that cannot be listed; `busy` tells of scanning, reading, or unread messages; `in_flight`
    counts jobs that are being sent, `put_off` those that wait for another day. `asking` tells that it is not known yet
    what the project had before a new ledger, `looking` that it is time to look for jobs, or for twins of them, at the
    target, `asks` that a person is to say how it goes on.
    """

    jobs: Mapping[str, int]
    settling: int
    growing: int
    unlisted: int
    busy: bool
    in_flight: int
    shut: bool
    blocked: bool
    put_off: int = 0
    asking: bool = False
    looking: bool = False
    asks: bool = False


class EndOfRun:
    """Watches a run for its end; `now` is any monotonic number of seconds."""

    def __init__(self, now: float) -> None:
        self._moved_at = now
        self._jobs: Mapping[str, int] = {}

    def is_over(self, moment: RunState, now: float) -> bool:
        """Tell whether nothing is left that waiting would move on."""
        stands = dict(moment.jobs)
        # A job that is tried in vain goes to and fro, and none has moved on.
        stands[State.PENDING] = stands.get(State.PENDING, 0) + stands.pop(State.SUBMITTING, 0)
        if stands != self._jobs:
            self._jobs, self._moved_at = stands, now
        if moment.busy or moment.settling > moment.growing:
            return False
        if moment.blocked:
            return moment.in_flight == 0
        left = sum(moment.jobs.get(state, 0) for state in WAITING) - moment.settling - moment.put_off
        patience = (ONCE_SENDING if moment.in_flight else ONCE).patience
        is_done = not moment.asking and (moment.shut or (left <= 0 and not moment.looking))
        return is_done or now - self._moved_at > patience


def exit_code(moment: RunState) -> int:
    """Return 0 where all is well, 1 where something is left or needs attention, 3 where the key is refused."""
    if moment.blocked:
        return 3
    if moment.unlisted or moment.asks:
        return 1
    return 1 if any(moment.jobs.get(state, 0) for state in WAITING | ATTENTION) else 0
