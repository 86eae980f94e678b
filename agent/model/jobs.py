"""What is sent for a unit, and what is asked about it. Frozen. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from agent.model.units import Frame, Kind, folder_of


class Edition(StrEnum):
    """The vendor API's edition: `v0` names the work by `tag`, `v1` by `work_flow_id`."""

    V0 = "v0"
    V1 = "v1"


@dataclass(frozen=True, slots=True)
class Job:
    """What is sent for one unit, frozen in the ledger by the intent: a retry is built from this alone.

    `is_named` tells whether the ledger holds the frames' `src` as here; `seen` is a sequence's `plan.fingerprint_of`.
    """

    id: int
    reference_id: str
    path: str
    kind: Kind
    edition: Edition
    tag: str
    batch_id: str | None
    priority_weight: int
    frames: tuple[Frame, ...]
    attempts: int
    is_named: bool = True
    seen: bytes | None = None

    @property
    def folder(self) -> str:
        """The folder whose settings hold for the job: an image's parent, a sequence's own folder."""
        return folder_of(self.path, self.kind)


@dataclass(frozen=True, slots=True)
class Terms:
    """What an intent freezes beside the frames: taken from the settings of the moment."""

    edition: Edition
    tag: str
    batch_id: str | None
    priority_weight: int


@dataclass(frozen=True, slots=True)
class Lookup:
    """A job to be found in Playment's lists. `why`: `duplicate`, `changed`, `given-up` or `held`.

    `attempted` tells whether an earlier try of ours was never answered.
    """

    id: int
    path: str
    reference_id: str
    tag: str | None
    batch_id: str | None
    frame_count: int
    kind: Kind
    digest: str
    why: str
    attempted: bool


Namer = Callable[[Frame], str | None]
"""Gives a frame's `src`, or None where it can have none yet."""
