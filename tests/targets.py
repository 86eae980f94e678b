"""What the tests of targets share: a job, whom to ask for it, and each target's world behind one page."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from agent.model import Edition, Frame, Job, Kind, Stamp
from agent.model.jobs import Lookup
from agent.results.download import Download
from agent.settings import load
from agent.targets.label_studio.client import LabelStudio
from agent.targets.label_studio.projects import make
from agent.targets.label_studio.search import Projects
from agent.targets.label_studio.target import LabelStudioTarget
from agent.targets.playment.client import Playment
from agent.targets.playment.target import PlaymentTarget
from tests.support import KEY, environ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from agent.model.jobs import SentJob
    from agent.sandbox import Sandbox
    from agent.settings.settings import Settings
    from agent.targets import Target
    from tests.cutting import Cutting
    from tests.label_studio import Server
    from tests.serving import Served

T = TypeVar("T")
DIGEST = "ab" * 32
BOX = {"id": "b", "from_name": "label", "to_name": "image", "type": "rectanglelabels", "value": {"x": 1}}


def job_of(reference_id: str, frames: int = 0) -> Job:
    """Return an image's job, or that of a sequence of `frames` frames: `frame_1.jpg` …"""
    kind = Kind.SEQUENCE if frames else Kind.IMAGE
    named = tuple(
        Frame(
            n, f"frame_{n + 1}.jpg", f"d/frame_{n + 1}.jpg", Stamp(1, 2, 3, 4), DIGEST, f"http://h/d/frame_{n + 1}.jpg"
        )
        for n in range(frames or 1)
    )
    return Job(1, reference_id, "d" if frames else "d/frame_1.jpg", kind, Edition.V0, "boxes", None, 5, named, 1)


def lookup_of(job: Job) -> Lookup:
    """Return the job as it is to be found."""
    return Lookup(
        job.id, job.path, job.reference_id, None, None, len(job.frames), job.kind, DIGEST, "given-up", attempted=True
    )


def ask(call: Callable[[], T]) -> T:
    """Ask at once, and once."""
    return call()


def yes() -> bool:
    """Let a look go on."""
    return True


class Sent:
    """The jobs that are awaited, as a ledger would tell of them."""

    def __init__(self, *jobs: SentJob) -> None:
        self.jobs = list(jobs)

    def open_batches(self) -> Mapping[str | None, int]:
        return {None: len(self.jobs)} if self.jobs else {}

    def open_jobs(self, batch_id: str | None) -> list[SentJob]:
        return [] if batch_id else self.jobs

    def still_open(self, jobs: Iterable[SentJob]) -> list[SentJob]:
        return [job for job in jobs if job in self.jobs]


class World(Protocol):
    """A target with its server, which is asked through a proxy that can lose answers."""

    key: str
    wrong_keys: tuple[str, ...]
    proxy: Cutting

    def target(self, *, key: str = "", project: str = "", url: str = "", post_seconds: float = 30.0) -> Target:
        """Return the target, or one that asks with another key, for a project that is not there, or elsewhere."""

    def references(self) -> list[str]:
        """Return the reference_id of every job that is there, sorted."""

    def complete(self, job_id: str, annotation: dict[str, Any]) -> None:
        """Annotate a job, as a person does."""


class Playments:
    """The sandbox."""

    key = KEY
    wrong_keys: tuple[str, ...] = ("another-key-0123456789",)

    def __init__(self, sandbox: Sandbox, proxy: Cutting) -> None:
        self.sandbox = sandbox
        self.proxy = proxy

    def target(self, *, key: str = "", project: str = "", url: str = "", post_seconds: float = 30.0) -> Target:
        client = Playment(
            url or self.proxy.url, project or "p", key or KEY, Edition.V0, connect_seconds=5, post_seconds=post_seconds
        )
        return PlaymentTarget(client, Download(allow_private=True).fetch)

    def references(self) -> list[str]:
        return sorted(job.reference_id for job in self.sandbox.jobs)

    def complete(self, job_id: str, annotation: dict[str, Any]) -> None:
        self.sandbox.complete(job_id, annotation)


class LabelStudios:
    """A Label Studio, with projects that are new."""

    wrong_keys: tuple[str, ...] = ("0" * 40, "aaa.bbb.ccc")

    def __init__(self, server: Server, proxy: Cutting) -> None:
        self.server = server
        self.proxy = proxy
        self.key = server.personal_token
        client = LabelStudio(server.url, self.key)
        try:
            self.projects, _ = make(client, f"tests {random.randrange(10**9)}")
        finally:
            client.close()

    def target(
        self, *, key: str = "", project: str = "", url: str = "", post_seconds: float = 30.0
    ) -> LabelStudioTarget:
        client = LabelStudio(url or self.proxy.url, key or self.key, connect_seconds=5, post_seconds=post_seconds)
        return LabelStudioTarget(client, Projects(99_999_999, 99_999_999) if project else self.projects)

    def references(self) -> list[str]:
        return sorted(each for project in self.projects for each in self.server.references(project))

    def tasks(self) -> list[dict[str, Any]]:
        """Return every task that is there."""
        return [task for project in self.projects.each() for task in self.server.tasks(project)]

    def job_ids(self) -> dict[str, str]:
        """Return each task's id by its reference_id."""
        return {str(task["data"]["reference_id"]): str(task["id"]) for task in self.tasks()}

    def complete(self, job_id: str, annotation: dict[str, Any]) -> None:
        self.server.call("POST", f"/api/tasks/{job_id}/annotations", {"result": [annotation]})


def given_of(place: Path, world: LabelStudios, served: Served, **changed: str) -> dict[str, str]:
    """Return the environment of an agent that sends what lies in `place/inbox` to this Label Studio."""
    given = {
        "TARGET": "label-studio",
        "LABEL_STUDIO_URL": world.proxy.url,
        "LABEL_STUDIO_TOKEN": world.key,
        "LABEL_STUDIO_IMAGE_PROJECT": str(world.projects.image),
        "LABEL_STUDIO_SEQUENCE_PROJECT": str(world.projects.sequence),
        "PUBLISH_TO": f"{served.url}/",
        "PUBLISH_PROBE": "all",
    }
    texts = environ(place, "", **{**given, **changed})
    return {name: text for name, text in texts.items() if not name.startswith("PLAYMENT")}


def settings_of(place: Path, world: LabelStudios, served: Served, **changed: str) -> Settings:
    """Return the settings of that agent."""
    return load.load(given_of(place, world, served, **changed), place, None)
