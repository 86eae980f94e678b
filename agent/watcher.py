"""watchdog to paths on a queue; it decides nothing.

An event only says that a path is worth a look. Kinds of events that our own reading causes (opened, closed without
writing) are filtered at the source.
"""

from __future__ import annotations

import errno
import logging
import os
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

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from watchdog.observers.api import BaseObserver

log = logging.getLogger(__name__)

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


class Watcher(FileSystemEventHandler):
    """Watches a folder and all below it. `notice` is called from watchdog's thread and must return quickly."""

    def __init__(self, root: Path, notice: Callable[[Noticed], None]) -> None:
        self._root = os.fspath(root).rstrip("/")
        self._notice = notice
        self._observer: BaseObserver | None = None

    def start(self) -> str | None:
        """Begin to watch; return None, or a sentence that says why events cannot be had."""
        observer = None
        try:
            observer = Observer()
            observer.schedule(self, self._root, recursive=True, event_filter=EVENTS)
            observer.start()
        except OSError as error:
            if observer is not None and observer.is_alive():
                observer.stop()
                observer.join()
            if error.errno == errno.EMFILE:
                return f"inotify instances are used up ({error.strerror}): raise fs.inotify.max_user_instances"
            if error.errno == errno.ENOSPC:
                return f"inotify watches are used up ({error.strerror}): raise fs.inotify.max_user_watches"
            return f"events cannot be had: {error.strerror}"
        self._observer = observer
        return None

    def is_alive(self) -> bool:
        """Tell whether events can still come: the observer lives on when an emitter has died, so both are asked."""
        observer = self._observer
        return (
            observer is not None
            and observer.is_alive()
            and bool(observer.emitters)
            and all(emitter.is_alive() for emitter in observer.emitters)
        )

    def stop(self) -> None:
        """Stop watching."""
        if self._observer is not None:
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
