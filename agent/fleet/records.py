"""What is told to the fleet's database, and what it says. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from agent.core.spend_guard import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = 2
"""The version of the database's schema, of which this version of ours calls the functions: its last step's number."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What this host's settings say of the fleet's budget; None stands for no limit."""

    per_minute: float | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Memory:
    """What a host keeps over a restart of the database that it has told all it sent.

    `number` is of its newest beat: a database that knows a lower one is an older copy.
    """

    database: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class Beat:
    """How a host stands: the jobs of its ledger by state, and which folder it watches ('' where nobody shares it)."""

    version: str
    counts: Mapping[str, int]
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What the fleet says to a beat.

    `memory` is to be kept. `must_mirror`: the database is not the one that was told what this host has sent. `jobs` and
    `frames` were counted on this UTC day by all. `clock` is the database's, in seconds since 1970. `sharing` are the
    hosts that watch the same folder now.
    """

    memory: Memory
    must_mirror: bool
    schema: int
    paused: bool
    blocked: str
    held: float
    jobs: int
    frames: int
    clock: float
    sharing: tuple[str, ...] = ()


class Mirrored(NamedTuple):
    """A job as its host's ledger has it.

    `is_open`: a request may be on its way, so that nobody else may send it yet. `day` is the UTC day on which it was
    counted, as `2026-11-21`, '' where it was not: one of today that is new to the fleet is counted there, too.
    """

    reference_id: str
    frames: int
    job_id: str = ""
    is_open: bool = False
    day: str = ""


class UnitClaim(NamedTuple):
    """A unit that is about to be read. `sizes` and `stamps` are texts, equal where those of all its files are."""

    path: str
    sizes: str
    stamps: str


class Whose(Enum):
    """Who reads a unit."""

    OURS = "ours"
    TAKEN = "taken"
    DONE = "done"


class UnitSaid(NamedTuple):
    """What is said of a unit; `seconds` is after how long to ask again, for TAKEN.

    `reference_id`, `digest` and `job_id` are set for DONE: it was sent with these sizes and stamps.
    """

    path: str
    whose: Whose
    seconds: float = 0.0
    reference_id: str = ""
    digest: str = ""
    job_id: str = ""


class Finished(NamedTuple):
    """A unit that was read."""

    path: str
    reference_id: str
    digest: str


@dataclass(frozen=True, slots=True)
class Looked:
    """What a person who tries the set-up is told of the database.

    `serves` is the oldest schema version of ours that may call. `is_taken`: another role uses this host's name.
    `is_too_mighty`: this role may write the tables. `is_told_apart`: no other host uses this role. `sharing` are the
    hosts that have told the same folder.
    """

    server: str
    schema: int
    serves: int
    clock: float
    role: str
    is_taken: bool
    is_too_mighty: bool
    is_told_apart: bool
    sharing: tuple[str, ...]
    attention: tuple[Mapping[str, str], ...]

    @property
    def speaks(self) -> bool:
        """Whether the schema is one that this version of ours may call."""
        return self.serves <= SCHEMA <= self.schema


@dataclass(frozen=True, slots=True)
class Standing:
    """How the fleet stands: the rows of the views, without the project's name."""

    today: Mapping[str, Any]
    hosts: tuple[Mapping[str, Any], ...]
    attention: tuple[Mapping[str, Any], ...]
