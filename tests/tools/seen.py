"""Which names a tool writes under before a frame has its own: by events, since some last only milliseconds."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Self

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ITSELF = "N itself"


class Seen(FileSystemEventHandler):
    """Watches a folder and all below it within its `with` block; `sizes` are those of the frames that come, by name."""

    def __init__(self, folder: Path, sizes: Mapping[str, int]) -> None:
        self._first_at: float | None = None
        self._sizes = sizes
        self._is_over = False
        self._patterns: dict[str, str] = {}
        self._observer = Observer()
        self._observer.schedule(self, str(folder), recursive=True)

    def __enter__(self) -> Self:
        self._observer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._observer.stop()
        self._observer.join()

    def seconds(self) -> float:
        """Return how long ago the first file came, 0 before."""
        return time.monotonic() - self._first_at if self._first_at is not None else 0.0

    def end(self) -> None:
        """Note no more: what comes now is of the killing."""
        self._is_over = True

    @property
    def patterns(self) -> str:
        """The names seen, each kind once, with N for the frame's name."""
        return ", ".join(list(self._patterns.values())[:3]) or "nothing"

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Note the names of an event."""
        if self._is_over or event.is_directory or event.event_type in {"opened", "closed_no_write"}:
            return
        self._first_at = self._first_at or time.monotonic()
        for path in (os.fsdecode(event.src_path), os.fsdecode(event.dest_path)):
            if path:
                self._note(path)

    def _note(self, path: str) -> None:
        name = os.path.basename(path)
        if name in self._sizes and os.path.basename(os.path.dirname(path)) == "drive":
            with contextlib.suppress(FileNotFoundError):
                if os.stat(path).st_size < self._sizes[name]:
                    self._patterns[ITSELF] = ITSELF
            return
        frame = next((frame for frame in self._sizes if frame in name), None)
        before, _, after = name.partition(frame) if frame else (name, "", "")
        folder = os.path.basename(os.path.dirname(path))
        shown = (f"{folder}/" if folder != "drive" else "") + (f"{before}N{after}" if frame else name)
        # Two names are of one kind where what is around the frame's name is as long: the rest is chance.
        self._patterns.setdefault(f"{folder}/{len(before)}/{len(after)}/{bool(frame)}", shown)
