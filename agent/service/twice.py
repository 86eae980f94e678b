"""What follows where the target would make the same job twice."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from agent.host import mounts
from agent.service.assembly import target_of
from agent.service.names import called

if TYPE_CHECKING:
    from agent.settings.settings import Settings


def late_of(settings: Settings) -> float | None:
    """Return for how many seconds a request may be on its way where a job can be made twice, else None."""
    with contextlib.closing(target_of(settings)) as target:
        return None if target.refuses_duplicates else target.post_seconds


def twins_of_others(settings: Settings) -> str:
    """Say where another host may see the folder, and would have every job made a second time, '' where none can."""
    place = mounts.shared_place(settings.watch_dir)
    if settings.fleet_dsn is not None or not place or late_of(settings) is None:
        return ""
    return (
        f"WATCH_DIR is on a network mount ({place}), and {called(settings.target)} takes the same job twice: an agent "
        "on another host that watches it, too, makes every job a second time. Let one host alone watch it, or set "
        "FLEET_DSN"
    )
