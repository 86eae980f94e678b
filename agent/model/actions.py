"""What `plan` says is to be done with a unit. Frozen. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.model.units import Unit


@dataclass(frozen=True, slots=True)
class Queue:
    """Planned: send this unit. The first of `reference_ids` that no other job uses becomes its id."""

    unit: Unit
    reference_ids: tuple[str, ...]
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Adopt:
    """Planned: the target has this unit as `job_id`, under its one id, from before there was this ledger."""

    unit: Unit
    reference_ids: tuple[str, ...]
    row: int | None
    job_id: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Planned: wait for a person, who is told `reason`; `row` None makes a row of its own beside a submitted one."""

    unit: Unit
    reference_ids: tuple[str, ...]
    error_code: str
    reason: str
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Refuse:
    """Planned: this cannot be sent as it is (`invalid`)."""

    unit: Unit
    reason: str
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Keep:
    """Planned: nothing to send, the job of this content is known; `obsolete` rows described other content there."""

    unit: Unit
    row: int
    obsolete: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """Planned: the unit of this row was moved here; nothing is sent. `arrival` is the row made when it was noticed."""

    unit: Unit
    row: int
    reference_ids: tuple[str, ...]
    arrival: int | None = None


@dataclass(frozen=True, slots=True)
class LookUp:
    """Planned: its content changed while an answer of the target's is missing: look whether the job was made, first."""

    unit: Unit
    row: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Planned: a request for this row is on its way; decide when it has been answered."""

    unit: Unit
    row: int


Action = Queue | Adopt | Hold | Refuse | Keep | Move | LookUp | Wait
