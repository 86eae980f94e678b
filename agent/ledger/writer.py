"""The one thread that writes to the ledger. It commits together what was handed in meanwhile."""

from __future__ import annotations

import contextlib
import logging
import math
import queue
import sqlite3
import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Generic, TypeVar

from agent.core.repeats import Repeats
from agent.errors import LedgerUnavailable, LedgerUnreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agent.ledger.recent_frames import RecentFrames
    from agent.ledger.store import Ledger

log = logging.getLogger(__package__)

T = TypeVar("T")
R = TypeVar("R")
BUSY_SECONDS = 15.0
"""How long what keeps the ledger small waits at the most for a moment without work."""
GROUP = 64
"""How many pieces of work one transaction takes at most: a commit costs milliseconds on a real disk, and what comes
meanwhile waits for all of them."""
LONE_GROUP = 2000
"""The same of units that were read, while nothing is sent. Each entry of an index of digests has a page of its own
written: 200,000 images took 3.1 GB by groups of 64, and take 0.8 GB."""
LULL = 0.5
"""So many seconds after it wrote something last, sending counts as over."""

Piece = tuple["Callable[[Ledger], object]", "Future[object]"]
Result = tuple["Future[object]", object, "BaseException | None"]


@dataclass(frozen=True, slots=True)
class Each(Generic[T, R]):
    """Work on one item: `function` is given it together with the items of such work right behind it, in one call.

    It returns a result for each item. Each statement gives up the interpreter's lock and has to wait for it: a
    statement a job is what limits the rate.
    """

    function: Callable[[Ledger, Sequence[T]], Sequence[R]]
    item: T

    def __call__(self, ledger: Ledger) -> R:
        """Do it for this item alone."""
        return self.function(ledger, [self.item])[0]


class LedgerWriter:
    """The one thread that writes. Work handed in meanwhile is committed together.

    A piece of work that raises is undone alone; where the commit itself fails, all of its group have failed. A piece
    may be begun, undone and done again: beside the ledger it does nothing that counts twice. Whenever nothing waits,
    and every BUSY_SECONDS where there is always something, `upkeep` may do a small step.

    `trouble` says why nothing can be written, or is ''; the log is told of it here, for all who wait.
    """

    trouble = ""

    def __init__(self, ledger: Ledger, upkeep: Callable[[Ledger], None] = lambda _ledger: None) -> None:
        self._ledger = ledger
        self._upkeep = upkeep
        self._upkeep_by = time.monotonic() + BUSY_SECONDS
        self._sent_at = -math.inf
        self._first: deque[Piece] = deque()
        self._others: deque[Piece] = deque()
        self._waiting: queue.SimpleQueue[None] = queue.SimpleQueue()  # one for each piece, and one to stop
        self._repeats = Repeats()
        self._thread = threading.Thread(target=self._run, name="ledger")
        self._thread.start()

    @property
    def recent(self) -> RecentFrames:
        """Frames that were just written."""
        return self._ledger.recent

    def submit(self, work: Callable[[Ledger], T], *, first: bool = False) -> Future[T]:
        """Have `work` done in a transaction; the future is done when it is committed.

        What is to be done `first` goes before all other work that waits: sending's, since behind hundreds of units
        that were just read its workers would run out of jobs.
        """
        future: Future[T] = Future()
        pieces = self._first if first else self._others
        if first:
            self._sent_at = time.monotonic()
        pieces.append((work, future))  # type: ignore[arg-type]  # the future is set to what this very work returns
        self._waiting.put(None)
        return future

    def call(self, work: Callable[[Ledger], T]) -> T:
        """Have `work` done in a transaction and wait for the commit."""
        return self.submit(work).result()

    def close(self) -> None:
        """Finish what was handed in, and stop. The ledger itself stays open."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._waiting.get()
            group: list[Piece] = []
            with contextlib.suppress(queue.Empty):
                while (piece := self._next()) is not None:
                    group.append(piece)
                    if self._is_whole(group):
                        break
                    self._waiting.get_nowait()
            if group:
                self._commit(group)
            if piece is None:
                return
            now = time.monotonic()
            if not (self._first or self._others) or now >= self._upkeep_by:
                self._upkeep_by = now + BUSY_SECONDS
                self._upkeep(self._ledger)

    def _is_whole(self, group: Sequence[Piece]) -> bool:
        """Tell whether a group is to be committed before it gets any larger."""
        if len(group) < GROUP or len(group) >= LONE_GROUP:
            return len(group) >= GROUP
        return not isinstance(group[-1][0], Each) or time.monotonic() - self._sent_at < LULL

    def _next(self) -> Piece | None:
        """Return the next piece, None where there is none: that is what is waited for last."""
        pieces = self._first or self._others
        return pieces.popleft() if pieces else None

    def _commit(self, group: list[Piece]) -> None:
        """Do the work of a group in one transaction; where a piece raises, again with each piece on its own.

        A savepoint around every piece from the start would be two more statements for each (measured: a tenth).
        """
        before = self._ledger.sql.total_changes
        try:
            try:
                with self._ledger.transaction():
                    results = [result for pieces in _together(group) for result in _done(self._ledger, pieces)]
            except _Raised:
                with self._ledger.transaction():
                    results = [result for piece in group for result in self._apart(piece)]
        except LedgerUnavailable as error:
            self._cannot(str(error))
            results = [(future, None, error) for _, future in group]
        else:
            if self.trouble and self._ledger.sql.total_changes != before:
                log.warning("the ledger can be written again")
                self.trouble = ""
        for future, value, failure in results:
            if failure is None:
                future.set_result(value)
            else:
                future.set_exception(failure)

    def _cannot(self, why: str) -> None:
        self.trouble = why
        if self._repeats.are_due(why, time.monotonic()):
            log.error("%s", why)

    def _apart(self, piece: Piece) -> list[Result]:
        """Do a piece of work, or nothing of it where it raises."""
        self._ledger.sql.execute("savepoint work")
        try:
            results = _done(self._ledger, [piece])
        except _Raised as raised:
            self._ledger.sql.execute("rollback to work")
            results = [(piece[1], None, raised.error)]  # it belongs to whoever handed the work in
        self._ledger.sql.execute("release work")
        return results


class _Raised(Exception):
    """A piece of work has raised `error`, and the ledger itself is fine."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        super().__init__(str(error))


def _together(group: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Yield the pieces in their order, those that are done in one call in one list."""
    for function, pieces in groupby(group, lambda piece: piece[0].function if isinstance(piece[0], Each) else None):
        if function is None:
            yield from ([piece] for piece in pieces)
        else:
            yield list(pieces)


def _done(ledger: Ledger, pieces: Sequence[Piece]) -> list[Result]:
    work = pieces[0][0]
    try:
        if isinstance(work, Each):
            values = work.function(ledger, [piece.item for piece, _ in pieces if isinstance(piece, Each)])
        else:
            values = [work(ledger)]
    except sqlite3.IntegrityError as error:
        raise _Raised(error) from error
    except (sqlite3.DatabaseError, LedgerUnreadable):
        raise  # a full disk or a broken one: nothing of the group can be kept
    except Exception as error:
        raise _Raised(error) from error
    return [(future, value, None) for (_, future), value in zip(pieces, values, strict=True)]
