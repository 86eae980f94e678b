"""The results of jobs, as what is drawn over their frames: read once, and kept for the jobs that are looked at."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

from agent.core.annotations import MOST_BYTES, parsed
from agent.errors import FileChanged, FolderUnavailable
from agent.model import Stamp
from agent.model.shapes import Drawing
from agent.page.files import named

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.folder.scanner import Scanner
    from agent.model.shapes import ReadShapes

KEPT: Final = 2
"""Results that are kept: a large one takes 60 MB."""
QUICK_BYTES: Final = 512 * 1024
"""What is read within 50 ms; a larger result is waited for only where it is asked for by name."""

Key = tuple[str, Stamp]


class Drawn(NamedTuple):
    """What is drawn of a result: nothing yet where it is `large`, nothing at all where there is `trouble`."""

    drawing: Drawing
    trouble: str = ""
    large: bool = False


class Drawings:
    """Reads results below a folder; its calls may be made by any thread, and one at a time reads."""

    def __init__(self, results: Scanner) -> None:
        self._results = results
        self._kept: OrderedDict[Key, Drawn] = OrderedDict()
        self._lock = threading.Lock()
        self._reading = threading.Lock()

    def of(self, path: str, read: ReadShapes, frame_ids: Callable[[], list[str]], *, wait: bool) -> Drawn:
        """Return what the result at a path draws; a large one that is not kept only with `wait`."""
        try:
            descriptor = named(self._results.descriptor, path)
        except FileChanged:
            return _not("it is not in the folder of results any more")
        except FolderUnavailable as error:
            return _not(str(error))
        except OSError as error:
            return _not(f"it cannot be read: {error.strerror}")
        try:
            stamp = Stamp.of(os.fstat(descriptor))
            kept = self._known((path, stamp))
            if kept is not None:
                return kept
            if stamp.size > QUICK_BYTES and not wait:
                return Drawn(Drawing(), large=True)
            with self._reading:
                return self._known((path, stamp)) or self._read(descriptor, (path, stamp), read, frame_ids)
        finally:
            os.close(descriptor)

    def _known(self, key: Key) -> Drawn | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _read(self, descriptor: int, key: Key, read: ReadShapes, frame_ids: Callable[[], list[str]]) -> Drawn:
        if key[1].size > MOST_BYTES:
            drawn = _not(f"its result is too large to be drawn: {key[1].size:,} bytes, and {MOST_BYTES:,} are read")
        else:
            try:
                with os.fdopen(os.dup(descriptor), "rb") as file:
                    drawn = Drawn(read(parsed(file.read(MOST_BYTES)), frame_ids()))
            except ValueError as error:
                drawn = _not(f"its result {error}")
            except OSError as error:
                return _not(f"its result cannot be read: {error.strerror}")
        with self._lock:
            self._kept[key] = drawn
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return drawn


def _not(why: str) -> Drawn:
    return Drawn(Drawing(), why)
