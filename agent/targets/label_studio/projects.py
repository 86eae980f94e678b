"""Makes the two projects that a person needs: for boxes on images, and on the frames of sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.targets.label_studio.labelling import IMAGE_CONFIG, SEQUENCE_CONFIG
from agent.targets.label_studio.search import Projects

if TYPE_CHECKING:
    from agent.targets.label_studio.client import LabelStudio


def make(client: LabelStudio, title: str) -> Projects:
    """Make both projects, called after `title`, and return their ids. Each call makes new ones. Raises RemoteError."""
    return Projects(
        client.create_project(f"{title} images", IMAGE_CONFIG),
        client.create_project(f"{title} sequences", SEQUENCE_CONFIG),
    )
