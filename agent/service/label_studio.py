"""What a person else does at Label Studio by hand: makes the projects, and looks at what has come."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from agent.targets.label_studio.body import shown
from agent.targets.label_studio.client import LabelStudio
from agent.targets.label_studio.labelling import keys_of
from agent.targets.label_studio.pages import pages
from agent.targets.label_studio.projects import make
from agent.targets.label_studio.proof import is_trial

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agent.settings.secret import Secret


@dataclass(frozen=True, slots=True)
class Shown:
    """A task as its page shows it: each file's frame_id, '' of a single image, and its URL, in order."""

    project: int
    job_id: str
    reference_id: str
    files: tuple[tuple[str, str], ...]


def make_projects(url: str, token: Secret, title: str) -> tuple[int, int, list[int]]:
    """Make a project for images and one for sequences; return their numbers, and which of them were there already.

    Raises SettingsError, RemoteError.
    """
    with contextlib.closing(LabelStudio(url, token.reveal())) as client:
        projects, there = make(client, title)
        return projects.image, projects.sequence, there


def shown_in(url: str, token: Secret, projects: Iterable[int]) -> list[Shown]:
    """Return every task with a reference_id that these projects have, by the API. Raises SettingsError, RemoteError."""
    with contextlib.closing(LabelStudio(url, token.reveal())) as client:
        return [task for project in projects for task in _shown(client, project)]


def _shown(client: LabelStudio, project: int) -> Iterator[Shown]:
    keys = keys_of(client.project(project).config)
    for tasks in pages(partial(client.tasks, project=project), project):
        for task in tasks:
            if not is_trial(task.reference_id):
                yield Shown(project, str(task.id), task.reference_id, tuple(shown(task.whole, keys)))
