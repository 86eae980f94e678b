"""How many watches inotify grants, and how many this process has. I/O."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InotifyLimits:
    """The kernel's limits for one user (inotify(7)), by the names of their sysctls `fs.inotify.*`."""

    max_user_watches: int
    max_user_instances: int
    max_queued_events: int


def inotify_limits() -> InotifyLimits:
    """Return inotify's limits on this machine; raises OSError where the kernel has no inotify."""

    def limit(name: str) -> int:
        with open(f"/proc/sys/fs/inotify/{name}", encoding="ascii") as file:
            return int(file.read())

    return InotifyLimits(limit("max_user_watches"), limit("max_user_instances"), limit("max_queued_events"))


def inotify_watches() -> int:
    """Return how many inotify watches this process holds (proc(5), /proc/pid/fdinfo: a line `inotify wd:…` each)."""
    watches = 0
    for descriptor in os.listdir("/proc/self/fdinfo"):
        try:
            with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as lines:
                watches += sum(line.startswith("inotify ") for line in lines)
        except FileNotFoundError:
            continue  # closed since it was listed
    return watches
