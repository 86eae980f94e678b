"""What is sent for a unit, and what is asked about it. Frozen. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from agent.model.units import Frame, Kind, folder_of


class Edition(StrEnum):
    """The edition of a target's API for which a job is frozen: `v0` names the work by a tag, `v1` by a work flow."""

    V0 = "v0"
    V1 = "v1"


@dataclass(frozen=True, slots=True)
class Job:
    """What is sent for one unit, frozen in the ledger by the intent: a retry is built from this alone.

    `is_named` tells whether the ledger holds the frames' `src` as here; `seen` is a sequence's `plan.fingerprint_of`.
    `may_be_there` tells that the target may have it already, sent at a time of which the ledger does not know.
    """

    id: int
    reference_id: str
    path: str
    kind: Kind
    edition: Edition
    tag: str
    batch_id: str | None
    priority_weight: int | None
    frames: tuple[Frame, ...]
    attempts: int
    is_named: bool = True
    seen: bytes | None = None
    may_be_there: bool = False

    @property
    def folder(self) -> str:
        """The folder whose settings hold for the job: an image's parent, a sequence's own folder."""
        return folder_of(self.path, self.kind)


@dataclass(frozen=True, slots=True)
class Terms:
    """What an intent freezes beside the frames, from the settings of the moment; None where it means nothing there."""

    edition: Edition
    tag: str
    batch_id: str | None
    priority_weight: int | None


@dataclass(frozen=True, slots=True)
class Lookup:
    """A job to be found in the target's lists. `why`: `duplicate`, `changed`, `given-up` or `held`.

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


class SentJob(NamedTuple):
    """A job by our id and by the target's."""

    reference_id: str
    job_id: str


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A job that the target took and that has failed there since: the target's code, and a sentence with its words."""

    job: SentJob
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """A job as the target has it, in the list of the batch `batch_id`; what it does not tell, or know, is None."""

    job_id: str
    reference_id: str
    frame_count: int | None
    tag: str | None
    batch_id: str | None


Namer = Callable[[Frame], str | None]
"""Gives a frame's `src`, or None where it can have none yet."""
