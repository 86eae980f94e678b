"""Makes, at Label Studio, the projects that a person would else make by hand."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from agent.targets.label_studio.client import LabelStudio
from agent.targets.label_studio.projects import make

if TYPE_CHECKING:
    from agent.settings.secret import Secret


def make_projects(url: str, token: Secret, title: str) -> tuple[int, int, list[int]]:
    """Make a project for images and one for sequences; return their numbers, and which of them were there already.

    Raises SettingsError, RemoteError.
    """
    with contextlib.closing(LabelStudio(url, token.reveal())) as client:
        projects, there = make(client, title)
        return projects.image, projects.sequence, there
