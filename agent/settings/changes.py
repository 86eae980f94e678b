"""What differs between the settings of a running agent and those that are there now. Pure."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

from agent.settings.variables import VARIABLES

if TYPE_CHECKING:
    from agent.settings.settings import Settings


class Changes(NamedTuple):
    """The names of settings that have changed: those taken up while it runs, and those that wait for a restart.

    `settings` are those that the agent has from then on.
    """

    live: tuple[str, ...]
    waiting: tuple[str, ...]
    settings: Settings


def changes(now: Settings, new: Settings) -> Changes:
    """Return what a reload changes."""
    live = {each.field: each.name for each in VARIABLES if each.live}
    compared = [field.name for field in dataclasses.fields(new) if field.compare]
    fields = [name for name in compared if getattr(new, name) != getattr(now, name)]
    taken = {field: getattr(new, field) for field in fields if field in live}
    return Changes(
        live=tuple(live[field] for field in taken),
        waiting=tuple("AWS_…" if field == "aws" else field.upper() for field in fields if field not in taken),
        settings=dataclasses.replace(now, **taken),
    )
