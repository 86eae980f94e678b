"""Makes, or finds, the two projects that a person needs: for boxes on images, and on the frames of sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.model import Kind
from agent.targets.label_studio.labelling import IMAGE_CONFIG, SEQUENCE_CONFIG, UnfitError, keys_of
from agent.targets.label_studio.search import Projects

if TYPE_CHECKING:
    from agent.targets.label_studio.client import LabelStudio


_MADE = {Kind.IMAGE: ("images", IMAGE_CONFIG), Kind.SEQUENCE: ("sequences", SEQUENCE_CONFIG)}


def make(client: LabelStudio, title: str) -> tuple[Projects, list[int]]:
    """Make both projects, called after `title`, unless they are there; return their ids, and which of them were there.

    So a call whose answer was lost may be repeated. One of that title whose configuration takes no job of ours, since a
    person has changed it, is another. Raises RemoteError.
    """
    ids, there = [], []
    for kind, (what, config) in _MADE.items():
        name = f"{title} {what}"
        fit = [each.id for each in client.projects(name) if each.title == name and _takes(each.config, kind)]
        there += fit[:1]
        ids += fit[:1] or [client.create_project(name, config)]
    return Projects(*ids), there


def _takes(config: str, kind: Kind) -> bool:
    try:
        keys = keys_of(config)
    except UnfitError:
        return False
    return keys.is_list or kind is Kind.IMAGE
