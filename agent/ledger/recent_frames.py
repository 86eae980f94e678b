"""The frames that were written last, kept for sending: to read a thousand back takes longer than to write them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.model import Frame

MOST_FRAMES = 4096
"""Frames that are kept in all, of 600 bytes each: the oldest make room, and are read from the ledger as any others."""


class RecentFrames:
    """Keeps the frames of jobs until they are taken, forgotten, or too many. Safe to use from several threads.

    What is kept counts for a row of the very same path, digest and `settled_at` alone: one that was undone with its
    transaction, or has settled again in another process, is never given frames of before.
    """

    def __init__(self) -> None:
        self._kept: dict[int, tuple[tuple[str | None, ...], Sequence[Frame]]] = {}
        self._count = 0
        self._lock = threading.Lock()

    def keep(self, job: int, frames: Sequence[Frame], *row: str | None) -> None:
        """Keep the frames of a job, with their `src` as the settings of this process name them.

        `row` is what must stand in the job's row when they are taken.
        """
        with self._lock:
            self._forget(job)
            self._kept[job] = (row, frames)
            self._count += len(frames)
            while self._count > MOST_FRAMES:
                self._forget(next(iter(self._kept)))

    def take(self, job: int, *row: str | None) -> Sequence[Frame] | None:
        """Return a job's frames, or None where they are not here; they are kept no more."""
        with self._lock:
            kept, frames = self._forget(job)
        return frames if kept == row and frames else None

    def forget(self, job: int) -> None:
        """Forget the frames of a job: others are being written."""
        with self._lock:
            self._forget(job)

    def _forget(self, job: int) -> tuple[tuple[str | None, ...], Sequence[Frame]]:
        row, frames = self._kept.pop(job, ((), ()))
        self._count -= len(frames)
        return row, frames
