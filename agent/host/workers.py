"""A fixed number of threads that do what they are handed, in order.

Not `concurrent.futures`: its threads are joined at the interpreter's exit, so that one request that hangs for two
minutes would hold up a stop that must be over in twenty seconds. These are daemons; `close` waits as long as told.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

log = logging.getLogger(__package__)


class Pool(Protocol):
    """Does what it is handed, `count` pieces at a time."""

    count: int

    def submit(self, work: Callable[[], None]) -> None:
        """Have `work` done as soon as may be."""

    def close(self, seconds: float) -> bool:
        """Let what was handed in be finished, for `seconds` at most; return whether it was."""


class AtOnce:
    """Does what it is handed at once, in the caller's thread."""

    count = 1

    def submit(self, work: Callable[[], None]) -> None:
        """Do `work`."""
        work()

    def close(self, seconds: float) -> bool:  # noqa: ARG002
        """Return that nothing is left to do."""
        return True


DEFECT = "a defect in playment-agent; please report it"
"""What is logged with the traceback of an error that nobody foresaw."""


class Workers:
    """Threads named `name-0` … that run the callables given to `submit`.

    `idle` is called by each that has had nothing to do for `idle_seconds`, once until it has. `ahead` is told what a
    thread is about to do, where several pieces wait: up to `most` of them.
    """

    def __init__(
        self,
        name: str,
        count: int,
        idle: Callable[[], None] = lambda: None,
        idle_seconds: float | None = None,
        *,
        ahead: Callable[[Sequence[Callable[[], None]]], None] = lambda _works: None,
        most: int = 1,
    ) -> None:
        self.count = count
        self._ahead = ahead
        self._most = most
        self._idle = idle
        self._idle_seconds = idle_seconds
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True) for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[], None]) -> None:
        """Have `work` done by the next free thread."""
        self._work.put(work)

    def discard(self) -> None:
        """Drop what was handed in and has not begun."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._work.get_nowait()

    def close(self, seconds: float) -> bool:
        """Let what was handed in be finished, for `seconds` at most; return whether all threads have ended."""
        for _ in self._threads:
            self._work.put(None)
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _next(self) -> Callable[[], None] | None:
        try:
            return self._work.get(timeout=self._idle_seconds)
        except queue.Empty:
            _do(self._idle)
            return self._work.get()

    def _run(self) -> None:
        while (work := self._next()) is not None:
            works = [work, *self._waiting()]
            if len(works) > 1:
                _do(partial(self._ahead, works))
            for each in works:
                _do(each)

    def _waiting(self) -> Iterator[Callable[[], None]]:
        """Yield what waits behind the next piece."""
        with contextlib.suppress(queue.Empty):
            for _ in range(1, self._most):
                work = self._work.get_nowait()
                if work is None:
                    self._work.put(None)  # the end is behind these
                    return
                yield work


def _do(work: Callable[[], None]) -> None:
    try:
        work()
    except Exception:  # the thread must outlive a defect: the next job is not to blame
        log.exception(DEFECT)


@dataclass(frozen=True, slots=True)
class Pools:
    """Who publishes, posts, and looks through the target's lists: apart, so that uploads hold no slot for posts."""

    publishing: Pool
    posting: Pool
    looking: Pool

    @classmethod
    def of_threads(cls, *, publish: int, post: int) -> Pools:
        """Start so many threads for each; one looks through the lists."""
        return cls(Workers("publish", publish), Workers("post", post), Workers("lookup", 1))
