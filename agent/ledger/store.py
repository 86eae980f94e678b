"""The ledger's connection, the one way to change a job's state, and the thread that owns both."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import sqlite3
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

import sqlite_utils

from agent.errors import LedgerRefused, LedgerUnavailable
from agent.migrations import migrate, version_of
from agent.states import State, check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

log = logging.getLogger(__name__)

T = TypeVar("T")
BUSY_SECONDS = 10.0
GROUP = 512
"""How many pieces of work one transaction takes at most: a commit costs milliseconds on a real disk."""
WORLD_HINT = {
    "project_id": "PLAYMENT_PROJECT_ID",
    "base_url": "PLAYMENT_BASE_URL",
    "watch_dir": "WATCH_DIR",
    "reference_id_template": "REFERENCE_ID",
}


def iso(moment: datetime) -> str:
    """Return a UTC time as the ledger writes it: `2026-11-21T22:20:08.123Z`."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a connection to the ledger file, which must exist for `read_only`.

    Raises LedgerUnavailable with what SQLite said, and where to look; LedgerRefused for what is no ledger of ours.
    """
    if path.is_dir():
        raise LedgerRefused(f"the ledger {path} is a folder: LEDGER_PATH must name a file")
    with contextlib.ExitStack() as undo:
        try:
            if read_only and not path.exists():
                raise _no_ledger(path)
            connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}",
                uri=True,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
            undo.callback(connection.close)
            version = version_of(connection)
            if read_only:
                if version == 0:
                    raise _no_ledger(path)
                connection.execute("pragma query_only = on")
        except (sqlite3.Error, OSError) as error:
            raise unusable(f"the ledger {path} cannot be opened", error) from error
        undo.pop_all()
    return connection


def unusable(what: str, error: Exception) -> LedgerUnavailable:
    """Return our error for one of SQLite's, with what to do where the file itself is spoilt; `what` begins it."""
    # SQLite's other errors are of subclasses; this class alone stands for SQLITE_CORRUPT and SQLITE_NOTADB.
    spoilt = type(error) is sqlite3.DatabaseError
    advice = (
        ". Move it away with its -wal and -shm files and start again: jobs that were sent are recognised by their ids; "
        "'sqlite3 LEDGER .recover' may save the rest"
    )
    return LedgerUnavailable(f"{what}: {error}{advice if spoilt else ''}")


def _no_ledger(path: Path) -> LedgerUnavailable:
    return LedgerUnavailable(f"there is no ledger at {path}: has the agent run yet? LEDGER_PATH names the file")


def other_world(sql: sqlite3.Connection, world: Mapping[str, str]) -> str | None:
    """Return what stands against using a ledger for `world`, as the end of a sentence: that it holds another's jobs."""
    bound = dict(sql.execute("select key, value from agent"))
    others = [key for key, value in sorted(world.items()) if bound.get(key, "") not in ("", value)]
    if not others or not sql.execute("select 1 from jobs limit 1").fetchone():
        return None
    told = "; ".join(f"{WORLD_HINT[key]} was {bound[key]!r} and is now {world[key]!r}" for key in others)
    return (
        f"belongs to other settings: {told}. Set them back, or name a new LEDGER_PATH to start afresh "
        "(what is in the folder would be sent again there)"
    )


class Ledger:
    """A connection that writes. Use it from one thread at a time; `clock` gives the time in UTC."""

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        self.path = path
        self._clock = clock
        if not path.exists():  # SQLite's side files take over the mode of the file
            with contextlib.suppress(FileExistsError, OSError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
        self.sql = connect(path)
        try:
            sqlite_utils.Database(self.sql).enable_wal()
            self.sql.execute("pragma synchronous = full")
            self.sql.execute("pragma foreign_keys = on")
            migrate(self.sql)
        except sqlite3.Error as error:
            self.sql.close()
            raise unusable(f"the ledger {path} cannot be used", error) from error
        except LedgerRefused:
            self.sql.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self.sql.close()

    @property
    def now(self) -> datetime:
        """The time in UTC."""
        return self._clock()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what happens inside, or nothing of it. Raises LedgerUnavailable where SQLite cannot."""
        try:
            self.sql.execute("begin immediate")
            try:
                yield
            except BaseException:
                if self.sql.in_transaction:
                    self.sql.execute("rollback")
                raise
            self.sql.execute("commit")
        except sqlite3.Error as error:
            if self.sql.in_transaction:
                self.sql.execute("rollback")
            raise unusable(f"the ledger {self.path} cannot be written", error) from error

    def move(self, job: int, now: State, then: State, detail: str = "", **columns: object) -> None:
        """Change a job's state: the one way to do so. Sets `columns` with it and writes the event.

        Raises IllegalMove.
        """
        check(now, then)
        at = iso(self.now)
        self.set(job, state=then, updated_at=at, **columns)
        self.record(job, then, detail, at)

    def set(self, job: int, **columns: object) -> None:
        """Set columns of a job that are no change of state."""
        names = ", ".join(f"{name} = ?" for name in columns)
        self.sql.execute(f"update jobs set {names} where id = ?", (*columns.values(), job))  # noqa: S608 (our names)

    def record(self, job: int | None, event: str, detail: str = "", at: str | None = None) -> None:
        """Append an event."""
        self.sql.execute(
            "insert into events (at, job, event, detail) values (?, ?, ?, ?)", (at or iso(self.now), job, event, detail)
        )

    def get(self, key: str) -> str:
        """Return a value of the `agent` table, '' where it is not set."""
        row = self.sql.execute("select value from agent where key = ?", (key,)).fetchone()
        return row[0] if row else ""

    def put(self, **values: str) -> None:
        """Set values of the `agent` table."""
        self.sql.executemany(
            "insert into agent values (?, ?) on conflict (key) do update set value = excluded.value", values.items()
        )

    def bind(self, world: Mapping[str, str]) -> None:
        """Tie the ledger to a project, base URL, watch folder and template of ids.

        Raises LedgerRefused where it holds jobs of another world: the same files would be sent again there.
        """
        with self.transaction():
            problem = other_world(self.sql, world)
            if problem:
                raise LedgerRefused(f"the ledger {self.path} {problem}")
            self.put(**world)


Piece = tuple["Callable[[Ledger], object]", "Future[object]"]
Result = tuple["Future[object]", object, "BaseException | None"]


class LedgerThread:
    """The one thread that writes. Work handed in meanwhile is committed together.

    A piece of work that raises is undone alone; where the commit itself fails, all of its group have failed. A piece
    may be begun, undone and done again: beside the ledger it does nothing that counts twice.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._work: queue.SimpleQueue[Piece | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ledger")
        self._thread.start()

    def submit(self, work: Callable[[Ledger], T]) -> Future[T]:
        """Have `work` done in a transaction; the future is done when it is committed."""
        future: Future[T] = Future()
        self._work.put((work, future))  # type: ignore[arg-type]  # the future is set to what this very work returns
        return future

    def call(self, work: Callable[[Ledger], T]) -> T:
        """Have `work` done in a transaction and wait for the commit."""
        return self.submit(work).result()

    def close(self) -> None:
        """Finish what was handed in, and stop. The ledger itself stays open."""
        self._work.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            item = self._work.get()
            if item is None:
                return
            group = [item]
            stop = False
            while len(group) < GROUP and not stop:
                try:
                    more = self._work.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    stop = True
                else:
                    group.append(more)
            self._commit(group)
            if stop:
                return

    def _commit(self, group: list[Piece]) -> None:
        """Do the work of a group in one transaction; where a piece raises, again with each piece on its own.

        A savepoint around every piece from the start would be two more statements for each (measured: a tenth).
        """
        try:
            try:
                with self._ledger.transaction():
                    results = [_done(self._ledger, *piece) for piece in group]
            except _Raised:
                with self._ledger.transaction():
                    results = [self._apart(*piece) for piece in group]
        except LedgerUnavailable as error:
            log.error("%s", error)  # noqa: TRY400 (a sentence, not a defect)
            results = [(future, None, error) for _, future in group]
        for future, value, failure in results:
            if failure is None:
                future.set_result(value)
            else:
                future.set_exception(failure)

    def _apart(self, work: Callable[[Ledger], object], future: Future[object]) -> Result:
        """Do a piece of work, or nothing of it where it raises."""
        self._ledger.sql.execute("savepoint work")
        try:
            result = _done(self._ledger, work, future)
        except _Raised as raised:
            self._ledger.sql.execute("rollback to work")
            result = future, None, raised.error  # it belongs to whoever handed the work in
        self._ledger.sql.execute("release work")
        return result


class _Raised(Exception):
    """A piece of work has raised `error`, and the ledger itself is fine."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        super().__init__(str(error))


def _done(ledger: Ledger, work: Callable[[Ledger], object], future: Future[object]) -> Result:
    try:
        return future, work(ledger), None
    except Exception as error:
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.IntegrityError):
            raise  # a full disk or a broken one: nothing of the group can be kept
        raise _Raised(error) from error
