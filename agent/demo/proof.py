"""Whether the sandbox received what was dropped: each job once, its frames in order, their bytes equal."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.model import Kind, basename

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from agent.demo.script import Expected
    from agent.sandbox.state import SandboxJob


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the sandbox holds of one unit. `problem` says what differs from what was dropped, '' where nothing does."""

    path: str
    jobs: int
    frames: int
    problem: str


def receipts(
    expected: Sequence[Expected],
    rows: Sequence[Mapping[str, Any]],
    received: Sequence[SandboxJob],
    annotations: Sequence[Path] | None = None,
) -> list[Receipt]:
    """Compare what was dropped with the ledger's rows and the sandbox's jobs; one receipt for each job there must be.

    Jobs that nobody asked for, and refused files that are no row of state `invalid`, have receipts too. Where there are
    to be `annotations`, each job has a file of them that names it.
    """
    named = None if annotations is None else {json.loads(file.read_bytes())["job_id"] for file in annotations}
    left = list(received)
    found = []
    for unit in expected:
        mine = [row for row in rows if row["path"] == unit.path]
        jobs = [job for job in left if any(job.reference_id == row["reference_id"] for row in mine)]
        left = [job for job in left if job not in jobs]
        problem = _problem(unit, mine, jobs, "submitted" if named is None else "completed")
        if not problem and named is not None and not named.issuperset(job.job_id for job in jobs):
            problem = "its annotations are not here"
        if unit.frames or jobs or problem:
            found.append(Receipt(unit.path, len(jobs), sum(job.frames for job in jobs), problem))
    found += [Receipt(job.reference_id, 1, job.frames, "nothing like it was dropped") for job in left]
    return found


def _problem(unit: Expected, rows: Sequence[Mapping[str, Any]], jobs: Sequence[SandboxJob], sent: str) -> str:
    """Return the first difference in words, or ''; `sent` is the state that a job must be in."""
    if len(rows) != 1:
        return f"the ledger has {len(rows)} rows for it, and must have 1"
    row = rows[0]
    wanted = sent if unit.frames else "invalid"
    if row["state"] != wanted:
        return f"the ledger says it is {row['state']} ({row['reason'] or 'no reason'}), and it must be {wanted}"
    if len(jobs) != bool(unit.frames):
        return f"the sandbox has {len(jobs)} jobs of it, and must have {int(bool(unit.frames))}"
    return next(filter(None, (_difference(unit, row, job) for job in jobs)), "")


def _difference(unit: Expected, row: Mapping[str, Any], job: SandboxJob) -> str:
    """Return how a job differs from the unit it was made of, or ''."""
    if job.job_id != row["job_id"]:
        return "the ledger has another job_id than the sandbox"
    got = tuple((frame_id, job.fetched.get(src, "")) for frame_id, src in _frames(unit, job))
    names = [name for name, _ in got]
    if names != [name for name, _ in unit.frames]:
        return f"its frames came in the order {', '.join(names)}"
    return "" if got == unit.frames else "the sandbox fetched other bytes than were dropped"


def _frames(unit: Expected, job: SandboxJob) -> list[tuple[str, str]]:
    """Return each frame's id and URL as they were sent; an image has no id, so its name stands for it."""
    data: Any = job.body["data"]
    if unit.kind is Kind.IMAGE:
        return [(basename(unit.path), data["image_url"])]
    return [(frame["frame_id"], frame["src"]) for frame in data["video_data"]["frames"]]
