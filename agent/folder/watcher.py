"""From watchdog's thread to the loop: what is worth a look, until the loop has time for it."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

from watchdog.events import FileSystemEventHandler

from agent.folder.changes import EventsLost
from agent.folder.inotify import ChangesEvent, EventsLostEvent, InotifyObserver

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from watchdog.events import DirModifiedEvent, FileModifiedEvent

    from agent.folder.changes import Changes


class InotifyWatcher(FileSystemEventHandler):
    """Watches a folder, and those below it that it is asked to cover. `notice` is called from watchdog's thread.

    It is told of a Changes when there is something in it, and of the next one when that was taken. Whoever covers a
    folder before looking into it misses nothing.
    """

    def __init__(self, root: Path, notice: Callable[[Changes | EventsLost], None]) -> None:
        self._notice = notice
        self._observer = InotifyObserver(until_taken=True, covers_new=True)
        self._watch = self._observer.schedule(self, os.fspath(root))

    def start(self) -> str | None:
        """Begin to watch the folder itself; return None, or a sentence that says why events cannot be had."""
        try:
            self._observer.start()
        except OSError as error:
            if error.errno == errno.EMFILE:
                return f"inotify instances are used up ({error.strerror}): raise fs.inotify.max_user_instances"
            if error.errno == errno.ENOSPC:
                return f"inotify watches are used up ({error.strerror}): raise fs.inotify.max_user_watches"
            return f"events cannot be had: {error.strerror}"
        return None

    def cover(self, folder: str) -> None:
        """Watch a folder as well, where that can be had; not those below it."""
        emitter = self._observer.emitter(self._watch)
        if emitter is not None:
            with contextlib.suppress(OSError):  # it is gone, or no watch is left: `WatchedFolder` counts them
                emitter.cover(folder)

    def writing_in(self, folder: str) -> Mapping[str, bool]:
        """Return the names that are being written in a folder, each with whether it was written to."""
        emitter = self._observer.emitter(self._watch)
        return {} if emitter is None else emitter.writing_in(folder)

    def writing_beside(self, folder: str) -> str:
        """Return the path of a file that is being written in a hidden folder in this one or above it, or ''."""
        emitter = self._observer.emitter(self._watch)
        return "" if emitter is None else emitter.writing_beside(folder)

    def is_alive(self) -> bool:
        """Tell whether events can still come: the folder is watched, and all threads live."""
        return self._observer.is_watching()

    def stop(self) -> None:
        """Stop watching."""
        self._observer.stop()
        if self._observer.is_alive():  # what was never started cannot be waited for
            self._observer.join()

    def on_modified(self, event: DirModifiedEvent | FileModifiedEvent) -> None:
        """Take note of an event (for watchdog)."""
        if isinstance(event, EventsLostEvent):
            self._notice(EventsLost())
        elif isinstance(event, ChangesEvent):
            self._notice(event.changes)
