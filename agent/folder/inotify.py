"""watchdog to paths that are worth a look; it decides nothing.

Of watchdog only the part that reads from the kernel is used. Its emitter and observer pass every event through two more
threads and queues: that takes ten times as long, and a burst waits for it (measured). What they do besides, new
folders, folders that move, and a queue that overflows, is done here.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import warnings
from typing import TYPE_CHECKING

from watchdog.observers.inotify_c import CallbackId, InotifyConstants, InotifyFD, Mask

from agent.folder.changes import Changes, EventsLost
from agent.model import join

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from watchdog.observers.inotify_c import InotifyEvent, WatchDescriptor

# watchdog 7.1 warns, with its insides, where a folder is watched anew under the same descriptor.
warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)

EVENTS = Mask(
    InotifyConstants.IN_CREATE
    | InotifyConstants.IN_CLOSE_WRITE
    | InotifyConstants.IN_MOVED_FROM
    | InotifyConstants.IN_MOVED_TO
    | InotifyConstants.IN_DELETE
    | InotifyConstants.IN_ONLYDIR
)
"""What the kernel is asked for: nothing that our own reading causes."""
BUFFER_BYTES = 1 << 20


class _Source(InotifyFD):
    """Reads from the kernel all that waits there, at once: in a burst its queue must not overflow meanwhile."""

    def run(self) -> None:
        """Read and pass on events until stopped."""
        while self.should_keep_running():
            for event in self.read_events(event_buffer_size=BUFFER_BYTES):
                self.handle_event(event)


class InotifyWatcher:
    """Watches a folder, and those below it that it is asked to cover. `notice` is called from watchdog's thread.

    It is told of a Noticed when there is something in it, and of the next one when that was taken. Whoever covers a
    folder before looking into it misses nothing.
    """

    def __init__(self, root: Path, notice: Callable[[Changes | EventsLost], None]) -> None:
        self._root = os.fspath(root)
        self._notice = notice
        self._noticed = Changes()
        self._noticed.take()
        self._id = CallbackId(id(self))
        self._lock = threading.Lock()
        self._folders: dict[WatchDescriptor, str] = {}
        self._covered: dict[str, WatchDescriptor] = {}
        self._top: WatchDescriptor | None = None
        self._source: InotifyFD | None = None

    def start(self) -> str | None:
        """Begin to watch the folder itself; return None, or a sentence that says why events cannot be had."""
        try:
            self._source = _Source()
            self._source.start()  # what was not started is never closed
            self._top = self._watch("")
        except OSError as error:
            self.stop()
            if error.errno == errno.EMFILE:
                return f"inotify instances are used up ({error.strerror}): raise fs.inotify.max_user_instances"
            if error.errno == errno.ENOSPC:
                return f"inotify watches are used up ({error.strerror}): raise fs.inotify.max_user_watches"
            return f"events cannot be had: {error.strerror}"
        return None

    def cover(self, folder: str) -> None:
        """Watch a folder as well, where that can be had; not those below it."""
        if folder not in self._covered and self._source is not None:
            with contextlib.suppress(OSError):  # it is gone, or no watch is left: `Watch` counts them
                self._watch(folder)

    def is_alive(self) -> bool:
        """Tell whether events can still come: the folder is watched, and the thread that reads them lives."""
        return self._source is not None and self._source.is_alive() and self._top in self._folders

    def stop(self) -> None:
        """Stop watching."""
        if self._source is not None:
            self._source.stop()
            self._source.join()
            self._source = None

    def on_event(self, event: InotifyEvent) -> None:
        """Take note of an event (for watchdog)."""
        with self._lock:
            folder = self._folders.get(event.wd)
            if folder is None or not event.name:
                return
            is_folder = event.mask & InotifyConstants.IN_ISDIR != 0
            if is_folder and event.mask & InotifyConstants.IN_MOVED_FROM:
                self._uncover(join(folder, os.fsdecode(event.name)))
            if not self._noticed.add(folder, event.name, is_folder=is_folder):
                self._noticed = Changes()
                self._noticed.add(folder, event.name, is_folder=is_folder)
                self._notice(self._noticed)

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        """Take note that a folder is gone or unmounted (for watchdog)."""
        with self._lock:
            folder = self._folders.pop(wd, None)
            if folder is not None and self._covered.get(folder) == wd:
                del self._covered[folder]

    def on_queue_overflow(self) -> None:
        """Take note that events were lost, perhaps such as tell that a folder is another one now (for watchdog)."""
        with self._lock:
            self._covered.clear()
        self._notice(EventsLost())

    def _watch(self, folder: str) -> WatchDescriptor:
        assert self._source is not None
        mask = Mask(EVENTS | InotifyConstants.IN_DONT_FOLLOW) if folder else EVENTS
        with self._lock:  # an event may come before it is known whose it is
            wd = self._source.add_callback(os.fsencode(os.path.join(self._root, folder)), mask, self, self._id)
            self._folders[wd] = folder
            self._covered[folder] = wd
        return wd

    def _uncover(self, folder: str) -> None:
        """Stop watching a folder that was moved away, and what is below it."""
        assert self._source is not None
        below = f"{folder}/"
        moved = {path: wd for path, wd in self._covered.items() if path == folder or path.startswith(below)}
        self._source.remove_callbacks([(wd, self._id) for wd in moved.values()])
        for path, wd in moved.items():
            del self._covered[path]
            self._folders.pop(wd, None)
