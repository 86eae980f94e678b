"""Which folder is watched, and how: its lock, its identity, events or polling; and taking it up when it is back."""

from __future__ import annotations

import logging
import os
from enum import Enum
from typing import TYPE_CHECKING

from agent.core.whereabouts import Whereabouts
from agent.errors import AlreadyRunning, FolderUnavailable
from agent.folder.watcher import InotifyWatcher
from agent.host import inotify_limits, locks, mounts
from agent.model import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from agent.folder.changes import Changes, EventsLost
    from agent.folder.scanner import Scanner

log = logging.getLogger(__package__)


class FolderPresence(Enum):
    """What a look at the watch folder shows."""

    SAME = "the folder that is watched"
    AWAY = "not there: unmounted, deleted, renamed or unreadable; nothing in it is known to be deleted"
    BACK = "there again, or watched again: all of it is to be looked at"
    OTHER = "another folder of the same name: what is not in it was not deleted from it"


class WatchedFolder:
    """Holds the folder's lock and its watcher. `notice` is called from watchdog's thread.

    `mode` is `events`, `poll`, or `auto`: poll where events cannot be had.

    Raises AlreadyRunning or FolderUnavailable where the folder cannot be locked.
    """

    def __init__(
        self,
        root: Path,
        mode: str,
        *,
        poll_seconds: float,
        rescan_seconds: float,
        scanner: Scanner,
        notice: Callable[[Changes | EventsLost], None],
    ) -> None:
        self._root = root
        self._wanted = mode
        self._poll_seconds = poll_seconds
        self._rescan_seconds = rescan_seconds
        self._scanner = scanner
        self._notice = notice
        self._watcher: InotifyWatcher | None = None
        self._lock = locks.lock_folder(root)
        self._is_numbered = True
        self._locked = self._identity = scanner.identity()
        self._place = mounts.place(root)
        self._is_mount = os.path.ismount(root)
        self.mode = "poll"
        self.is_short = False
        self._checked = 0
        self.trouble = ""

    @property
    def whereabouts(self) -> Whereabouts:
        """Which folder it is; without an identity while it is away."""
        return Whereabouts("{}:{}".format(*self._identity) if self._identity else "", shown(self._place))

    @property
    def inodes_last(self) -> bool:
        """Whether nothing has shown yet that the inodes of its files do not last."""
        return self._scanner.inodes_last

    @property
    def rescan_seconds(self) -> float:
        """The time between full scans."""
        if self._watcher is None:
            return min(self._poll_seconds, self._rescan_seconds)
        return self._rescan_seconds

    @property
    def is_told(self) -> bool:
        """Whether events tell of changes in all folders, as far as that is known."""
        return self._watcher is not None and not self.is_short

    def start(self) -> None:
        """Watch by events where they can be had, else by polling, and say which."""
        self._stop_watcher()
        mode, why = self._wanted, ""
        if mode == "auto":
            kind = mounts.filesystem_kind(self._root)
            if kind.network or kind.fuse:
                mode, why = "poll", f"{kind.name} tells of no remote changes"
        if mode != "poll":
            watcher = InotifyWatcher(self._root, self._notice)
            problem = watcher.start()
            if problem is None:
                self._watcher = watcher
            else:
                log.warning("%s; polling every %g s instead", problem, self._poll_seconds)
        elif why:
            log.info("polling every %g s: %s", self._poll_seconds, why)
        self.mode = "events" if self._watcher else "poll"

    def cover(self, folder: str) -> None:
        """Have the events of a folder from now on, where they can be had."""
        if self._watcher is not None:
            self._watcher.cover(folder)

    def writing_in(self, folder: str) -> Mapping[str, bool]:
        """Return the names that are being written in a folder, as far as events tell, each with whether it was."""
        return {} if self._watcher is None else self._watcher.writing_in(folder)

    def writing_beside(self, folder: str) -> str:
        """Return the path of a file that is being written in a hidden folder in this one or above it, or ''."""
        return "" if self._watcher is None else self._watcher.writing_beside(folder)

    def check_growth(self, folders: int) -> None:
        """Do as `check_limits` where there are more folders than at the last look: counting watches takes time."""
        if self.is_short or folders > self._checked:
            self.check_limits(folders)

    def check_limits(self, folders: int) -> None:
        """Poll where fewer folders are watched than there are: watchdog goes deaf on the rest without a word."""
        if self._watcher is None or self._wanted == "events" or not self._watcher.is_alive():
            return
        self._checked = folders
        watched = inotify_limits.inotify_watches()
        was_short, self.is_short = self.is_short, watched < folders
        if was_short and self.is_short:  # once may be a folder so new that its watch is still being made
            log.warning(
                "%d of %d folders can be watched (fs.inotify.max_user_watches is %d: raise it); polling every %g s",
                watched,
                folders,
                inotify_limits.inotify_limits().max_user_watches,
                self._poll_seconds,
            )
            self._stop_watcher()
            self.mode = "poll"

    def is_proof(self) -> bool:
        """Tell whether what the folder does not show was deleted: it is still the folder that was listed."""
        return self._identity is not None and self._now() == self._identity

    def lost(self) -> None:
        """Say that the kernel's queue of events has overflowed; the caller looks at everything."""
        log.warning(
            "events were lost (fs.inotify.max_queued_events is %d: raise it); looking at everything now",
            inotify_limits.inotify_limits().max_queued_events,
        )

    def look(self) -> FolderPresence:
        """See whether the folder is there and watched; take it up again where it is back."""
        identity = self._now()
        if identity is None:
            if self._identity is not None:
                self.trouble = f"the watch folder {self._root} is not there or cannot be listed"
                log.error("%s: nothing in it is taken for deleted; it is taken up when it is back", self.trouble)
                self._identity = None
            self._place = mounts.place(self._root)
            return FolderPresence.AWAY
        if identity == self._identity and (self._watcher is None or self._watcher.is_alive()):
            return FolderPresence.SAME
        presence = FolderPresence.BACK
        if identity != self._locked:
            try:
                lock = locks.lock_folder(self._root)
            except (AlreadyRunning, FolderUnavailable) as error:
                log.error("%s", error)  # noqa: TRY400 (a sentence, no defect)
                return FolderPresence.AWAY
            self._lock.release()
            self._lock, self._locked = lock, identity
            presence = FolderPresence.OTHER
        self.trouble = ""
        if self._is_mount and not os.path.ismount(self._root):
            self.trouble = f"the watch folder {self._root} is not mounted any more"
            log.error("%s: nothing in it is taken for deleted; it is taken up when it is back", self.trouble)
        else:
            self._is_mount = os.path.ismount(self._root)
            log.warning("the watch folder %s is taken up again", self._root)
        self._identity, self._place = identity, mounts.place(self._root)
        self.start()
        return presence

    def _now(self) -> tuple[int, int] | None:
        """Return the folder's identity now; where its own inode does not last, without it.

        That the folder which we hold has another inode than it had proves this, and nothing else can.
        """
        identity = self._scanner.identity()
        if self._is_numbered and identity is not None and self._locked is not None and identity != self._locked:
            held = self._lock.identity()
            if held is not None and held != self._locked and held[0] == self._locked[0]:
                self._is_numbered = self._scanner.inodes_last = False
                self._locked = (self._locked[0], 0)
                self._identity = self._identity and (self._identity[0], 0)
        return identity if self._is_numbered or identity is None else (identity[0], 0)

    def close(self) -> None:
        """Stop watching and give the folder free."""
        self._stop_watcher()
        self._lock.release()

    def _stop_watcher(self) -> None:
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher = None
