"""Who may send what: a batch of ids is asked for just before their intents, and each gets one verdict. Pure.

Alone, a host asks its own gate and spend guard; of a fleet, it asks what all hosts share.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


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

    `job_id` is set for THEIRS: as what it was sent. `seconds` is after how long to ask again, for TAKEN and WAIT. `why`
    is for a person, for TOMORROW and NEVER in the words of the spend guard, and for SHUT.
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


class Mirrored(NamedTuple):
    """A job as its host's ledger has it. Without a job_id its outcome is not known: a request may have left.

    `at` is when the target had it, as ISO 8601 in UTC; of an unknown outcome when it was first tried.
    """

    reference_id: str
    frames: int
    job_id: str
    at: str


class Beat(NamedTuple):
    """A host's sign of life: its version, its jobs by state, and which folder it watches."""

    version: str
    jobs: Mapping[str, int]
    folder: str


class Told(NamedTuple):
    """What the fleet answers to it: the random id of its database, and what holds for all hosts.

    `known` tells whether this host had been heard of before. `held` is for how many seconds nothing may leave since the
    target asked for it. `spent` says, in the words of the spend guard, why no job at all may be sent today, or is ''.
    """

    database: str
    known: bool
    blocked: str = ""
    paused: bool = False
    held: float = 0.0
    spent: str = ""


class UnitClaim(NamedTuple):
    """A unit that is to be read: its path in the watch folder, its files and their bytes together.

    Its `stamp` is a hint: on network mounts two hosts see one file's differently.
    """

    path: str
    files: int
    bytes: int
    stamp: str = ""


class UnitSay(Enum):
    """The verdict for one unit."""

    OURS = "it is ours to read: the lease runs"
    TAKEN = "another host reads it"
    DONE = "another host has read it"


class UnitSaid(NamedTuple):
    """What is said of it; for DONE with the id and digest that the other host has found, and the job if there is one.

    `seconds` is after how long to ask again, for TAKEN.
    """

    path: str
    say: UnitSay
    host: str = ""
    seconds: float = 0.0
    reference_id: str = ""
    digest: str = ""
    job_id: str = ""


class Fleet(Grants, Protocol):
    """What the hosts of a project share. Each question is one round trip, and may raise FleetUnavailable.

    `host` is this agent's name in it.
    """

    host: str

    def beat(self, beat: Beat) -> Told:
        """Give a sign of life, and be told what holds for all."""

    def mirror(self, jobs: Sequence[Mirrored]) -> None:
        """Have jobs known to all: the claim is made where it was never there."""

    def block(self, reason: str) -> None:
        """Have all hosts know that the target refuses us; '' that it lets us in again."""

    def hold(self, seconds: float) -> None:
        """Have nothing leave for so long, from any host: the target has asked for it."""

    def claim(self, units: Sequence[UnitClaim]) -> list[UnitSaid]:
        """Claim units before they are read."""

    def renew(self, paths: Sequence[str]) -> None:
        """Have the leases of units run on."""

    def finish(self, path: str, reference_id: str, digest: str) -> None:
        """Have all know what a claimed unit was found to hold."""

    def close(self) -> None:
        """Let go of a connection that is held."""
