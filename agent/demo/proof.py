"""Whether who takes the jobs received what was dropped: each job once, its frames in order, their bytes equal."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.model import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from agent.demo.script import Expected
    from agent.sandbox.state import SandboxJob


@dataclass(frozen=True, slots=True)
class Arrived:
    """A job as it arrived: each file's frame_id, '' for an image, and the sha256 of what its URL answers with."""

    job_id: str
    reference_id: str
    frames: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What arrived of one unit. `problem` says what differs from what was dropped, '' where nothing does."""

    path: str
    jobs: int
    frames: int
    problem: str


def receipts(
    expected: Sequence[Expected],
    rows: Sequence[Mapping[str, Any]],
    arrived: Sequence[Arrived],
    annotations: Sequence[Path] | None = None,
    who: str = "the sandbox",
) -> list[Receipt]:
    """Compare what was dropped with the ledger's rows and what arrived; one receipt for each job there must be.

    Jobs that nobody asked for, and refused files that are no row of state `invalid`, have receipts too. Where there are
    to be `annotations`, each job has a file of them that names it. `who` is who takes the jobs.
    """
    named = None if annotations is None else {json.loads(file.read_bytes())["job_id"] for file in annotations}
    left = list(arrived)
    found = []
    for unit in expected:
        mine = [row for row in rows if row["path"] == unit.path]
        jobs = [job for job in left if any(job.reference_id == row["reference_id"] for row in mine)]
        left = [job for job in left if job not in jobs]
        problem = _problem(unit, mine, "submitted" if named is None else "completed") or _of_jobs(unit, mine, jobs, who)
        if not problem and named is not None and not named.issuperset(job.job_id for job in jobs):
            problem = "its annotations are not here"
        if unit.frames or jobs or problem:
            found.append(Receipt(unit.path, len(jobs), sum(len(job.frames) for job in jobs), problem))
    found += [Receipt(job.reference_id, 1, len(job.frames), "nothing like it was dropped") for job in left]
    return found


def of_sandbox(jobs: Sequence[SandboxJob]) -> list[Arrived]:
    """Return the sandbox's jobs as they arrived."""
    return [
        Arrived(
            job.job_id, job.reference_id, tuple((name, job.fetched.get(src, "")) for name, src in _frames(job.body))
        )
        for job in jobs
    ]


def _problem(unit: Expected, rows: Sequence[Mapping[str, Any]], sent: str) -> str:
    """Return what is wrong with a unit in the ledger, or ''; `sent` is the state that a job must be in."""
    if len(rows) != 1:
        return f"the ledger has {len(rows)} rows for it, and must have 1"
    row = rows[0]
    wanted = sent if unit.frames else "invalid"
    if row["state"] != wanted:
        return f"the ledger says it is {row['state']} ({row['reason'] or 'no reason'}), and it must be {wanted}"
    return ""


def _of_jobs(unit: Expected, rows: Sequence[Mapping[str, Any]], jobs: Sequence[Arrived], who: str) -> str:
    """Return how what arrived differs from the unit that it was made of, in words, or ''."""
    if len(jobs) != bool(unit.frames):
        return f"{who} has {len(jobs)} jobs of it, and must have {int(bool(unit.frames))}"
    return next(filter(None, (_difference(unit, rows[0], job, who) for job in jobs)), "")


def _difference(unit: Expected, row: Mapping[str, Any], job: Arrived, who: str) -> str:
    if job.job_id != row["job_id"]:
        return f"the ledger has another job_id than {who}"
    names = [name for name, _ in job.frames]
    if names != ([name for name, _ in unit.frames] if unit.kind is Kind.SEQUENCE else [""]):
        return f"its frames came in the order {', '.join(names)}"
    if [digest for _, digest in job.frames] != [digest for _, digest in unit.frames]:
        return f"{who} was given URLs with other bytes than were dropped"
    return ""


def _frames(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return each frame's id and URL as they were sent; an image has no id."""
    data = body["data"]
    if "image_url" in data:
        return [("", data["image_url"])]
    return [(frame["frame_id"], frame["src"]) for frame in data["video_data"]["frames"]]
