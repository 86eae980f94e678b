"""Who may send what: a batch of ids is asked for just before their intents, and each gets one verdict. Pure.

Alone, a host asks its own gate and spend guard; of a fleet, it asks what all hosts share.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class Say(Enum):
    """The verdict for one reference_id."""

    GO = "it is ours, and counted against the budget: the lease runs"
    THEIRS = "it was sent: it is taken over without a request"
    TAKEN = "another host sends it"
    WAIT = "the rate, or the server, asks to wait"
    TOMORROW = "the day's limit is reached"
    NEVER = "it is larger than any day allows"
    SHUT = "the whole fleet is blocked or paused"


class Asked(NamedTuple):
    """A job that is ready to be sent."""

    reference_id: str
    frames: int


class Granted(NamedTuple):
    """What is said of it.

    `job_id` is set for THEIRS: as what it was sent. `seconds` is after how long to ask again, for TAKEN and WAIT, and
    for TOMORROW how long it is until then by the clock that all hosts go by, 0 where that is the host's own. `why` is
    for a person, for TOMORROW and NEVER in the words of the spend guard, and for SHUT.
    """

    reference_id: str
    say: Say
    job_id: str = ""
    seconds: float = 0.0
    why: str = ""


class Grants(Protocol):
    """Grants a batch in one round trip."""

    def ask(self, asked: Sequence[Asked]) -> list[Granted]:
        """Return a verdict for each. Raises FleetUnavailable: nothing may be sent."""
