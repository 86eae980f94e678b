"""A watchdog observer for bursts: what the kernel has to tell when it is read becomes one event.

watchdog's own observer passes every event of the kernel's, most of them as several of its own, through two more threads
and queues: that takes ten times as long, and a burst waits for it (measured). Here the emitter reads for itself, and
makes one event of it before it enters watchdog's queue. Observer and emitter stand on `watchdog.observers.api`, which
watchdog documents for those who write observers. What reads is its InotifyFD, which it does not document:
`tests/integration/test_watchdog.py` lists all that is used of that, and fails when it changes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import warnings
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from watchdog.events import DirDeletedEvent, DirModifiedEvent
from watchdog.observers.api import DEFAULT_EMITTER_TIMEOUT, BaseObserver, EventEmitter
from watchdog.observers.inotify_c import CallbackId, InotifyConstants, InotifyFD, Mask, WatchDescriptor

from agent.core.open_writers import OpenWriters
from agent.folder.changes import Changes
from agent.folder.covered import CoveredFolders, is_hidden
from agent.model import join

if TYPE_CHECKING:
    from collections.abc import Mapping

    from watchdog.events import FileSystemEvent
    from watchdog.observers.api import EventQueue, ObservedWatch
    from watchdog.observers.inotify_c import InotifyEvent

# InotifyFD warns where a folder is watched anew under the descriptor that it has: after events were lost it has to be.
warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)

EVENTS = Mask(
    InotifyConstants.IN_CREATE
    | InotifyConstants.IN_MODIFY
    | InotifyConstants.IN_CLOSE_WRITE
    | InotifyConstants.IN_MOVED_FROM
    | InotifyConstants.IN_MOVED_TO
    | InotifyConstants.IN_DELETE
    | InotifyConstants.IN_ONLYDIR
)
"""What the kernel is asked for: nothing that our own reading causes."""
BELOW = Mask(EVENTS | InotifyConstants.IN_DONT_FOLLOW)
"""The same of a folder below the watch folder, where a link is no folder. One for all: watchdog keeps it for each."""
BEGINS = InotifyConstants.IN_CREATE | InotifyConstants.IN_MODIFY
"""What a writer begins with; all else but MOVED_TO is its end."""
CAME = InotifyConstants.IN_CREATE | InotifyConstants.IN_MOVED_TO
LEFT = InotifyConstants.IN_DELETE | InotifyConstants.IN_MOVED_FROM
MOST_SUSPECTS = 256
"""Files of a folder that was just made that are looked at."""
MOST_HIDDEN = 256
"""Hidden folders that are covered, for those who write in them: a clone of a repository has thousands."""
BUFFER_BYTES = 1 << 20
"""Room for all that waits in the kernel: in a burst its queue must not overflow while a part of it is seen to."""


@dataclass(unsafe_hash=True)
class ChangesEvent(DirModifiedEvent):
    """Something came, went or was written in the folder `src_path` or below it: `changes` says what.

    That is a field of the dataclass, since watchdog's queue drops an event that equals the one before it by its fields.
    """

    changes: Changes = field(default_factory=Changes)


class EventsLostEvent(DirModifiedEvent):
    """The kernel dropped events of the folder `src_path` or of those below it: anything may have changed in them."""


class _Reader(InotifyFD):
    """What reads the kernel; no thread of its own, the emitter's calls it."""

    def __init__(self) -> None:
        super().__init__()
        self._is_reading = False  # else `close` leaves the descriptors to a read that may never have begun


class InotifyEmitter(EventEmitter):
    """Reads what the kernel tells of a folder, and queues it as one event. It ends when the folder is gone.

    Folders below are covered where somebody asks for it, who thereby misses nothing of what he lists afterwards; or all
    of them where the watch is recursive. Links below are never followed.

    `cover` may be called from any thread; `queue_events`, and what InotifyFD calls from there, belong to the emitter's.
    """

    def __init__(
        self,
        event_queue: EventQueue,
        watch: ObservedWatch,
        *,
        timeout: float = DEFAULT_EMITTER_TIMEOUT,
        event_filter: list[type[FileSystemEvent]] | None = None,
        until_taken: bool = False,
        covers_new: bool = False,
    ) -> None:
        super().__init__(event_queue, watch, timeout=timeout, event_filter=event_filter)
        self._until_taken = until_taken
        self._covers_new = covers_new
        self._lock = threading.Lock()
        self._reader: InotifyFD | None = None
        self._covered = CoveredFolders()
        self._id = CallbackId(id(self))  # one for all folders: watchdog keeps it for each
        self._writers = OpenWriters()
        self._top: WatchDescriptor | None = None
        self._changes = Changes()
        self._changes.close()
        self._is_new = False

    def on_thread_start(self) -> None:
        """Begin to watch. Raises OSError where the folder's events cannot be had."""
        if self.watch.is_file:  # watchdog would have the folder watched that holds it
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), self.watch.path)
        self._reader = _Reader()
        try:
            self._top = self._add("")
        except OSError:
            self.on_thread_stop()
            raise
        if self.watch.is_recursive:
            self._cover_below("")

    def on_thread_stop(self) -> None:
        """Stop watching."""
        with self._lock:  # a descriptor that is closed may be another file's when `cover` uses it
            reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def queue_events(self, timeout: float) -> None:  # noqa: ARG002 (of the base class: what is read here wakes by itself)
        """Wait until the kernel has something to tell, and queue it."""
        reader = self._reader
        if reader is None:
            return
        for event in reader.read_events(event_buffer_size=BUFFER_BYTES):
            reader.handle_event(event)
        if self._is_new:
            self._is_new = False
            if not self._until_taken:
                self._changes.close()
            self.queue_event(ChangesEvent(self.watch.path, changes=self._changes))

    def cover(self, folder: str) -> None:
        """Have the events of a folder below as well; not those of the folders in it. Raises OSError."""
        if folder not in self._covered:
            self._add(folder)

    def on_event(self, event: InotifyEvent) -> None:
        """Take note of an event."""
        with self._lock:
            folder = self._covered.path(event.wd)
            if folder is None or not event.name:
                return
            is_folder = event.mask & InotifyConstants.IN_ISDIR != 0
            if not is_folder:
                self._note_writer(folder, os.fsdecode(event.name), event.mask)
                if event.mask & InotifyConstants.IN_MODIFY:  # nothing to look at before its end
                    return
            elif event.mask & LEFT:
                self._writers.gone(path := join(folder, os.fsdecode(event.name)))
                if event.mask & InotifyConstants.IN_MOVED_FROM:
                    self._move_away(path)
        if is_folder and event.mask & CAME:
            self._came(join(folder, os.fsdecode(event.name)), is_new=event.mask & InotifyConstants.IN_CREATE != 0)
        if not self._changes.add(folder, event.name, is_folder=is_folder):
            self._changes = Changes()
            self._changes.add(folder, event.name, is_folder=is_folder)
            self._is_new = True

    def writing_in(self, folder: str) -> Mapping[str, bool]:
        """Return the names that are being written in a folder, each with whether it was written to."""
        with self._lock:
            return self._writers.in_folder(folder)

    def writing_beside(self, folder: str) -> str:
        """Return the path of a file that is being written in a hidden folder in this one or above it, or ''."""
        with self._lock:
            return self._writers.beside(folder)

    def _note_writer(self, folder: str, name: str, mask: int) -> None:
        if mask & BEGINS:
            self._writers.opened(folder, name, written=mask & InotifyConstants.IN_MODIFY != 0)
        elif not mask & InotifyConstants.IN_MOVED_TO:
            self._writers.ended(folder, name)

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        """Take note that a folder is gone or unmounted; called where the reader is closed, too."""
        with self._lock:
            self._covered.forget(wd)
        if wd == self._top and self.should_keep_running():
            self.queue_event(DirDeletedEvent(self.watch.path))
            self.stop()

    def on_queue_overflow(self) -> None:
        """Take note that events were lost, perhaps such as tell that a folder is another one now."""
        with self._lock:
            self._covered.doubt()
            self._writers.doubt()
        self.queue_event(EventsLostEvent(self.watch.path))
        if self.watch.is_recursive:
            self._cover_below("")

    def _came(self, folder: str, *, is_new: bool) -> None:
        """Cover a folder that came, where that is ours to do: others are by whoever looks into them."""
        if self.watch.is_recursive:
            self._cover_below(folder)
        elif self._covers_new and (not is_hidden(folder) or self._covered.hidden < MOST_HIDDEN):
            with contextlib.suppress(OSError):
                self.cover(folder)
                if is_new:
                    self._suspect_writers(folder)

    def _suspect_writers(self, folder: str) -> None:
        """Take what is empty in a folder that was just made for being written: its making was not told of any more."""
        with os.scandir(os.path.join(self.watch.path, folder)) as entries:
            for entry in islice(entries, MOST_SUSPECTS):
                if entry.is_dir(follow_symlinks=False):
                    self._came(join(folder, entry.name), is_new=True)
                elif not entry.stat(follow_symlinks=False).st_size:
                    with self._lock:
                        self._writers.opened(folder, entry.name, written=False)

    def _add(self, folder: str) -> WatchDescriptor:
        mask = BELOW if folder else EVENTS
        path = os.path.join(self.watch.path, folder)
        with self._lock:  # an event may come before it is known whose it is
            if self._reader is None:
                raise OSError(errno.EBADF, "no longer watched")
            wd = self._reader.add_callback(os.fsencode(path), mask, self, self._id)
            if wd == -1:  # InotifyFD takes EACCES for no error, and this for a descriptor
                self._reader.remove_callbacks([(wd, self._id)])
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
            self._covered.add(folder, wd)
        return wd

    def _cover_below(self, folder: str) -> None:
        """Cover a folder and all below it; what cannot be covered or listed is left out, as watchdog does."""
        waiting = [folder]
        while waiting:
            each = waiting.pop()
            with contextlib.suppress(OSError):
                self.cover(each)
                with os.scandir(os.path.join(self.watch.path, each)) as entries:
                    waiting += [join(each, entry.name) for entry in entries if entry.is_dir(follow_symlinks=False)]

    def _move_away(self, folder: str) -> None:
        left = self._covered.move_away(folder)
        if self._reader is not None:
            self._reader.remove_callbacks([(WatchDescriptor(wd), self._id) for wd in left])


class InotifyObserver(BaseObserver):
    """Watches folders, as any of watchdog's observers does; a file alone it does not watch.

    The `on_modified` of its handlers is called with a ChangesEvent for each time that the kernel was read, or an
    EventsLostEvent; `on_deleted` where the folder itself is gone. With `until_taken` a ChangesEvent stays open until a
    handler, or whoever is handed its `changes`, takes them: however long that is, no second event waits meanwhile.
    With `covers_new` a folder that comes into one that is covered is covered at once, not those below it.
    """

    def __init__(self, *, until_taken: bool = False, covers_new: bool = False) -> None:
        super().__init__(InotifyEmitter, until_taken=until_taken, covers_new=covers_new)

    def is_watching(self) -> bool:
        """Tell whether events of all watches can still come; `is_alive` knows of the thread that hands them on."""
        return self.is_alive() and all(emitter.is_alive() for emitter in self.emitters)

    def emitter(self, watch: ObservedWatch) -> InotifyEmitter | None:
        """Return what reads the events of a watch, to be asked for more; None where it is not scheduled."""
        ours = (emitter for emitter in self.emitters if isinstance(emitter, InotifyEmitter))
        return next((emitter for emitter in ours if emitter.watch == watch), None)
