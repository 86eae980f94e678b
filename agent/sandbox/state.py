"""What the sandbox remembers: projects, batches and jobs, in memory. Safe to use from any number of threads."""

from __future__ import annotations

import base64
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from agent.model import Edition
from agent.sandbox.rules import DEFAULT_PRIORITY, Refusal, check_uuid

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

CREATED: Final = "created"
COMPLETED: Final = "completed"
FAILED: Final = "FAILED"  # in capitals: the vendor's page of callbacks has it so


@dataclass(slots=True)
class SandboxJob:
    """A job as the sandbox holds it. `body` is what was sent; `fetched` maps each file's URL to its sha256 in hex.

    `error` is why it has failed: a code and a message.
    """

    job_id: str
    project_id: str
    reference_id: str
    body: dict[str, object]
    batch_id: str
    tag: str
    edition: Edition
    frames: int
    priority_weight: int
    fetched: dict[str, str]
    status: str = CREATED
    result: dict[str, object] | None = None
    error: tuple[str, str] | None = None
    made_at: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class SandboxBatch:
    """A batch with its jobs in order of creation."""

    batch_id: str
    name: str
    description: str
    is_default: bool
    created_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    jobs: list[SandboxJob] = field(default_factory=list)


class _Project:
    """One project: its batches by id, its jobs by id, and every reference_id that was ever taken."""

    def __init__(self, default: SandboxBatch) -> None:
        self.default = default
        self.batches = {default.batch_id: default}
        self.jobs: dict[str, SandboxJob] = {}
        self.references: set[str] = set()


class SandboxState:
    """Every project of the sandbox, each made when it is first named. Ids come from `rng`: a seed repeats a run.

    They are UUIDs, as the pages say; `make_id` may be set to make others, since the vendor may have them all the same.

    Every method raises `Refusal` with the documented code.
    """

    def __init__(self, rng: random.Random, page_size: int) -> None:
        self.make_id: Callable[[random.Random], str] = _uuid
        self._rng = rng
        self._page_size = page_size
        self._projects: dict[str, _Project] = {}
        self._jobs: dict[str, SandboxJob] = {}
        self._open: deque[SandboxJob] = deque()
        self._lock = threading.RLock()

    @property
    def jobs(self) -> list[SandboxJob]:
        """All jobs of all projects, in order of creation."""
        with self._lock:
            return list(self._jobs.values())

    def rolls(self, count: int) -> list[float]:
        """Return `count` random numbers in [0, 1)."""
        with self._lock:
            return [self._rng.random() for _ in range(count)]

    def create_batch(self, project_id: str, body: Mapping[str, object]) -> SandboxBatch:
        """Create a batch from a checked body."""
        with self._lock:
            project = self._project(project_id)
            name = str(body["name"])
            if any(batch.name == name for batch in project.batches.values()):
                raise Refusal(
                    "BATCH_CREATION", "duplicate key value violates unique constraint 'batches_project_id_name_unique'"
                )
            batch = SandboxBatch(self.make_id(self._rng), name, str(body["description"]), is_default=False)
            project.batches[batch.batch_id] = batch
            return batch

    def reserve(self, project_id: str, body: Mapping[str, object]) -> None:
        """Take the reference_id of a checked body, before its files are fetched."""
        with self._lock:
            project = self._project(project_id)
            self._batch(project, body.get("batch_id"))
            reference_id = str(body["reference_id"])
            if reference_id in project.references:
                raise Refusal("FS_0001", "Duplicate Reference Id")
            project.references.add(reference_id)

    def release(self, project_id: str, body: Mapping[str, object]) -> None:
        """Give back a reference_id whose job was not made."""
        with self._lock:
            self._project(project_id).references.discard(str(body["reference_id"]))

    def create_job(
        self, project_id: str, edition: Edition, body: dict[str, object], frames: int, fetched: dict[str, str]
    ) -> SandboxJob:
        """Make the job of a checked body whose reference_id is reserved."""
        with self._lock:
            project = self._project(project_id)
            batch = self._batch(project, body.get("batch_id"))
            priority = body.get("priority_weight")
            job = SandboxJob(
                job_id=self.make_id(self._rng),
                project_id=project_id,
                reference_id=str(body["reference_id"]),
                body=body,
                batch_id=batch.batch_id,
                tag=str(body["tag" if edition is Edition.V0 else "work_flow_id"]),
                edition=edition,
                frames=frames,
                priority_weight=priority if isinstance(priority, int) else DEFAULT_PRIORITY,
                fetched=fetched,
            )
            batch.jobs.append(job)
            project.jobs[job.job_id] = job
            self._jobs[job.job_id] = job
            self._open.append(job)
            return job

    def job(self, project_id: str, job_id: str) -> SandboxJob:
        """Return one job of a project."""
        with self._lock:
            job = self._project(project_id).jobs.get(job_id)
        if job is None:
            check_uuid(job_id)
            raise Refusal("FS_0006", "Job Unit not found")
        return job

    def complete(self, job_id: str, result: dict[str, object]) -> SandboxJob:
        """Mark a job as annotated. Raises `KeyError` where there is none."""
        with self._lock:
            job = self._jobs[job_id]
            job.status, job.result, job.error = COMPLETED, result, None
            return job

    def fail(self, job_id: str, code: str, message: str) -> None:
        """Mark a job as one that nobody can annotate. Raises `KeyError` where there is none."""
        with self._lock:
            job = self._jobs[job_id]
            job.status, job.error = FAILED, (code, message)

    def complete_due(self, seconds: float) -> None:
        """Mark the jobs as annotated that were made so long ago, each with a result that names it and holds nothing."""
        due = time.monotonic() - seconds
        with self._lock:
            while self._open and self._open[0].made_at <= due:
                job = self._open.popleft()
                if job.status == CREATED:
                    named: dict[str, object] = {
                        "reference_id": job.reference_id,
                        "job_id": job.job_id,
                        "annotations": [],
                    }
                    self.complete(job.job_id, named)

    def result(self, job_id: str) -> dict[str, object] | None:
        """Return a completed job's annotations, or None where there are none."""
        with self._lock:
            job = self._jobs.get(job_id)
            return None if job is None else job.result

    def page(self, project_id: str, batch_id: str, token: str) -> tuple[SandboxBatch, list[SandboxJob], str]:
        """Return a batch, one page of its jobs, and the next page's token ('' on the last)."""
        with self._lock:
            batch = self._batch(self._project(project_id), batch_id)
            start = _position(token, batch.batch_id) if token else 0
            end = start + self._page_size
            return batch, batch.jobs[start:end], _token(batch.batch_id, end) if end < len(batch.jobs) else ""

    def batches(self, project_id: str) -> list[SandboxBatch]:
        """Return the project's batches, the default one first."""
        with self._lock:
            return list(self._project(project_id).batches.values())

    def _project(self, project_id: str) -> _Project:
        project = self._projects.get(project_id)
        if project is None:
            project = _Project(
                SandboxBatch(self.make_id(self._rng), "Default", "The project's default batch", is_default=True)
            )
            self._projects[project_id] = project
        return project

    def _batch(self, project: _Project, batch_id: object) -> SandboxBatch:
        if batch_id is None:
            return project.default
        batch = project.batches.get(str(batch_id)) or project.batches.get(str(batch_id).lower())
        if batch is None:
            check_uuid(batch_id)
            raise Refusal("resource_error", "batch_id not found")
        return batch


def _uuid(rng: random.Random) -> str:
    return str(UUID(int=rng.getrandbits(128), version=4))


def _token(batch_id: str, position: int) -> str:
    return base64.urlsafe_b64encode(f"{batch_id} {position}".encode()).decode()


def _position(token: str, batch_id: str) -> int:
    """Return the position in a page token of this batch's."""
    try:
        owner, _, position = base64.b64decode(token, altchars=b"-_", validate=True).decode().partition(" ")
    except ValueError:
        owner = position = ""
    if owner != batch_id or not position.isdecimal():
        raise Refusal("invalid_request_error", "Invalid page token")
    return int(position)
