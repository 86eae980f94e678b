"""What Playment's answers hold: the `data` of each call, checked field by field, as frozen records. Pure.

Every function takes the decoded `data` and raises `TryLater` (code `bad-reply`) where a field is not what the
vendor's pages say: what cannot be read proves nothing about what was done.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from agent.errors import TryLater
from agent.model import Edition, is_utf8
from agent.targets.playment.error_table import vendor_error

if TYPE_CHECKING:
    from collections.abc import Mapping

_Scalar = TypeVar("_Scalar", bound="str | int")

_LARGEST: Final = 2**63 - 1  # the largest integer that the ledger can hold
_SAFE_IN_A_PATH: Final = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._~:=+@|-]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class JobDetails:
    """One job. `tag` is v1's `work_flow_id`; `result` is the URL of its annotations, once `status` is `completed`.

    `error` is the code, and the message or '', of what went wrong with it, where it tells any.
    """

    job_id: str
    reference_id: str
    batch_id: str | None
    status: str
    tag: str | None
    priority_weight: int | None
    result: str | None
    error: tuple[str | None, str]


@dataclass(frozen=True, slots=True)
class ListedJob:
    """One job in a batch's list. `frames` is its number of frames, where the list tells it."""

    id: str
    reference_id: str
    status: str
    frames: int | None
    tag: str | None
    priority_weight: int | None


@dataclass(frozen=True, slots=True)
class JobsPage:
    """Up to 100 jobs of a batch, and the token of the next page; None on the last."""

    jobs: tuple[ListedJob, ...]
    next_page_token: str | None


@dataclass(frozen=True, slots=True)
class ListedBatch:
    """One batch of the project."""

    id: str
    name: str
    is_default: bool
    total_jobs: int | None


@dataclass(frozen=True, slots=True)
class ProjectDetails:
    """The project's name and its batches."""

    name: str
    batches: tuple[ListedBatch, ...]


def bad_reply(what: str) -> TryLater:
    """Return the error for an answer that is not as documented; `what` is the part of the sentence that says how."""
    return TryLater(f"Playment's answer is not the documented JSON: {what}", code="bad-reply", is_outage=True)


def created_job(data: Mapping[str, object], reference_id: object) -> str:
    """Return the `job_id` of a created job; the answer must be about `reference_id`, where it names one."""
    told = _optional(data, "reference_id", str)
    if told is not None and told != reference_id:
        raise bad_reply("it is about another reference_id than the one sent")
    return _id(data, "job_id")


def created_batch(data: Mapping[str, object]) -> str:
    """Return the `batch_id` of a created batch."""
    return _id(data, "batch_id")


def job_details(data: Mapping[str, object], job_id: str, edition: Edition) -> JobDetails:
    """Return one job's details; the answer must be about `job_id`."""
    told = _id(data, "job_id")
    if told.lower() != job_id.lower():
        raise bad_reply("it is about another job than the one asked for")
    return JobDetails(
        job_id=told,
        reference_id=_text(data, "reference_id"),
        batch_id=None if data.get("batch_id") is None else _id(data, "batch_id"),
        status=_text(data, "status"),
        tag=_tag(data, edition),
        priority_weight=_optional(data, "priority_weight", int),
        result=_optional(data, "result", str) or None,
        error=vendor_error(data),
    )


def jobs_page(data: Mapping[str, object], edition: Edition) -> JobsPage:
    """Return one page of a batch's list."""
    jobs = tuple(
        ListedJob(
            id=_id(row, "id"),
            reference_id=_text(row, "reference_id"),
            status=_text(row, "status"),
            frames=_optional(row, "frames", int),
            tag=_tag(row, edition),
            priority_weight=_optional(row, "priority_weight", int),
        )
        for row in _rows(data, "jobs")
    )
    return JobsPage(jobs, _optional(data, "next_page_token", str) or None)


def project_details(data: Mapping[str, object]) -> ProjectDetails:
    """Return the project's name and batches."""
    batches = tuple(
        ListedBatch(
            id=_id(row, "id"),
            name=_text(row, "name"),
            is_default=_optional(row, "is_default", bool) or False,
            total_jobs=_optional(row, "total_jobs", int),
        )
        for row in _rows(data, "batches")
    )
    return ProjectDetails(_text(data, "name"), batches)


def _optional(data: Mapping[str, object], key: str, kind: type[_Scalar]) -> _Scalar | None:
    """Return `data[key]`, or None where it is absent or null. `True` is no number, and text must be whole UTF-8."""
    value = data.get(key)
    if value is None:
        return None
    if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
        raise bad_reply(f"'{key}' is {_kind(value)}")
    if isinstance(value, str) and not is_utf8(value):
        raise bad_reply(f"'{key}' holds half a surrogate pair")
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise bad_reply(f"'{key}' is too large a number")
    return value


def _text(data: Mapping[str, object], key: str) -> str:
    value = _optional(data, key, str)
    if value is None:
        raise bad_reply(f"'{key}' is missing")
    return value


def _id(data: Mapping[str, object], key: str) -> str:
    """Return an id: the vendor's pages say UUIDs, and whatever it gives is only handed back.

    But it becomes a part of addresses that are asked with the key, and of a temporary file's name: one segment, which
    no server and no proxy can take for two, or for none.
    """
    value = data.get(key)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST:
        return str(value)
    text = _text(data, key)
    if not _SAFE_IN_A_PATH.fullmatch(text):
        raise bad_reply(f"'{key}' cannot stand in an address")
    return text


def _tag(data: Mapping[str, object], edition: Edition) -> str | None:
    """Return the tag or work flow, whichever the edition names; the other where only that is given."""
    first, second = ("work_flow_id", "tag") if edition is Edition.V1 else ("tag", "work_flow_id")
    return _optional(data, first, str) or _optional(data, second, str)


def _rows(data: Mapping[str, object], key: str) -> list[Mapping[str, object]]:
    """Return the list of objects at `key`; null counts as empty, a missing key does not."""
    value = data.get(key, "")
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise bad_reply(f"'{key}' is no list of objects")
    return value


def _kind(value: object) -> str:
    """Return what JSON calls this type."""
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}
    return names[type(value)]
