"""watchdog to paths on a queue; it decides nothing.

An event only says that a path is worth a look. Kinds of events that our own reading causes (opened, closed without
writing) are filtered at the source.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.utils import BaseThread

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from watchdog.observers.api import BaseObserver

log = logging.getLogger(__name__)

WATCHDOG_LOG = logging.getLogger("watchdog")

# watchdog 7.1 warns, with pages of its insides, wherever a new folder is found by an event and by a walk at once.
warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)

EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileClosedEvent,
    FileMovedEvent,
    FileDeletedEvent,
    DirCreatedEvent,
    DirMovedEvent,
    DirDeletedEvent,
]


@dataclass(frozen=True, slots=True)
class Noticed:
    """A path, relative to the watch folder, that is worth a look."""

    path: str
    is_folder: bool


@dataclass(frozen=True, slots=True)
class Lost:
    """Events were lost: everything is worth a look."""


class _Overflow(logging.Handler):
    """Hears watchdog say in its log, the only place, that the kernel's queue of events has overflowed."""

    def __init__(self, lost: Callable[[], None]) -> None:
        super().__init__(logging.WARNING)
        self._lost = lost

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on an overflow."""
        if "events were lost" in record.getMessage():
            self._lost()


class Watcher(FileSystemEventHandler):
    """Watches a folder and all below it. `notice` is called from watchdog's threads and must return quickly."""

    def __init__(self, root: Path, notice: Callable[[Noticed | Lost], None]) -> None:
        self._root = os.fspath(root).rstrip("/")
        self._notice = notice
        self._overflow = _Overflow(lambda: notice(Lost()))
        self._observer: BaseObserver | None = None
        self._threads: list[threading.Thread] = []

    def start(self) -> str | None:
        """Begin to watch; return None, or a sentence that says why events cannot be had."""
        observer = None
        before = set(threading.enumerate())
        try:
            observer = Observer()
            observer.schedule(self, self._root, recursive=True, event_filter=EVENTS)
            observer.start()
        except OSError as error:
            if observer is not None:
                observer.stop()  # it has a thread and an inotify instance even before it is started
                if observer.is_alive():
                    observer.join()
            if error.errno == errno.EMFILE:
                return f"inotify instances are used up ({error.strerror}): raise fs.inotify.max_user_instances"
            if error.errno == errno.ENOSPC:
                return f"inotify watches are used up ({error.strerror}): raise fs.inotify.max_user_watches"
            return f"events cannot be had: {error.strerror}"
        self._observer = observer
        WATCHDOG_LOG.addHandler(self._overflow)
        self._threads = [t for t in threading.enumerate() if isinstance(t, BaseThread) and t not in before]
        return None

    def is_alive(self) -> bool:
        """Tell whether events can still come.

        All of watchdog's threads must live: its observer lives on when an emitter has died, and both do when the
        thread that reads from the kernel has.
        """
        return self._observer is not None and all(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Stop watching."""
        if self._observer is not None:
            WATCHDOG_LOG.removeHandler(self._overflow)
            self._observer.stop()
            self._observer.join()
            self._observer = None

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Pass on the paths of an event."""
        for path in (event.src_path, event.dest_path):
            text = os.fsdecode(path)
            if text == self._root:
                self._notice(Noticed("", is_folder=True))
            elif text.startswith(f"{self._root}/"):
                self._notice(Noticed(text[len(self._root) + 1 :], event.is_directory))
