"""What follows where the target would make the same job twice."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from agent.host import mounts
from agent.service.assembly import target_of
from agent.service.names import called, facts_of

if TYPE_CHECKING:
    from agent.settings.settings import Settings


def late_of(settings: Settings) -> float | None:
    """Return for how many seconds a request may be on its way where a job can be made twice, else None."""
    with contextlib.closing(target_of(settings)) as target:
        return None if target.refuses_duplicates else target.post_seconds


def twins_of_others(settings: Settings) -> str:
    """Say where another host may see the folder, and would have every job made a second time, '' where none can.

    `check` refuses that, and a start warns of it: whether another one does watch it can be seen from nowhere.
    """
    place = mounts.shared_place(settings.watch_dir)
    if settings.fleet_dsn is not None or not place or facts_of(settings.target).refuses_duplicates:
        return ""
    return (
        f"WATCH_DIR is on a network mount ({place}), and {called(settings.target)} takes the same job twice: two hosts "
        "that watch it make every job twice, and no host can see whether another one does. Set FLEET_DSN, by which "
        "they share the work, or WATCH_DIR to a folder that only this host has"
    )
