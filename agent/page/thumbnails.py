"""Small pictures of frames: made by few threads, each once, and kept in memory as long as there is room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Final

from agent.page.decoding import SMALL, NotShownError, small
from agent.page.files import NotThereError, opened

if TYPE_CHECKING:
    from concurrent.futures import Future

    from agent.folder.scanner import Scanner
    from agent.ledger.one_job import JobFrame
    from agent.page.finishing import Small

AT_ONCE: Final = 2
MOST_WAITING: Final = 24
"""Each keeps a thread of the server, which has forty: the other views must have some."""
KEPT_BYTES: Final = 24 * 2**20
"""What is kept: some 3,000 thumbnails."""

Key = tuple[object, ...]


class Busy(Exception):
    """So many pictures are asked for that this one would come too late."""


class Thumbnails:
    """Makes small pictures of the files below a folder; its calls may be made by any thread."""

    def __init__(self, scanner: Scanner, kept_bytes: int = KEPT_BYTES) -> None:
        self._scanner = scanner
        self._most = kept_bytes
        self._threads = ThreadPoolExecutor(AT_ONCE, "thumbnail")
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, Small] = OrderedDict()
        self._bytes = 0
        self._making: dict[Key, Future[Small]] = {}

    def close(self) -> None:
        """End what is under way."""
        self._threads.shutdown(cancel_futures=True)

    def of(self, frame: JobFrame, side: int = SMALL) -> Future[Small]:
        """Return a frame's picture, once it is made. Raises Busy.

        The future raises NotThereError where its file is not what was read, NotShownError where it cannot be shown.
        """
        key = (frame.path, frame.stamp, frame.digest, frame.orientation, side)
        with self._lock:
            if key in self._making:
                return self._making[key]
            if len(self._making) >= MOST_WAITING:
                raise Busy
            made = self._making[key] = self._threads.submit(self._make, key, frame, side)
        made.add_done_callback(partial(self._forget, key))
        return made

    def _make(self, key: Key, frame: JobFrame, side: int) -> Small:
        with opened(self._scanner, frame) as descriptor:
            with self._lock:
                if key in self._kept and frame.stamp is not None:
                    self._kept.move_to_end(key)
                    return self._kept[key]
            try:
                found = small(descriptor, frame.orientation, side)
            except OSError as error:
                raise NotThereError(f"its file cannot be read: {error.strerror}") from None
            except MemoryError:
                raise NotShownError("there is no room to show it just now") from None
        self._keep(key, found)
        return found

    def _keep(self, key: Key, found: Small) -> None:
        with self._lock:
            self._bytes += len(found.content) - len(self._kept[key].content if key in self._kept else b"")
            self._kept[key] = found
            while self._bytes > self._most:
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= len(oldest.content)

    def _forget(self, key: Key, _: Future[Small]) -> None:
        with self._lock:
            self._making.pop(key, None)
