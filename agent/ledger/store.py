"""The ledger's connection, and the ways to change a job's state."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from agent.core.retry import LOCKED_LEDGER
from agent.core.states import State, check_move
from agent.errors import LedgerRefused, LedgerUnavailable, LedgerUnreadable
from agent.ledger import files
from agent.ledger.migrations import version_of
from agent.ledger.recent_frames import RecentFrames
from agent.ledger.upgrade import migrate
from agent.ledger.world import bind, other_world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WAL_PAGES = 4000
"""After so many pages SQLite writes the WAL back into the ledger: a page that changes again and again is written back
less often than after the usual 1,000. Up to 4,062 are found by one table (fileformat2.html, 4.5)."""
WAL_BYTES = WAL_PAGES * 4096
"""The WAL's size that is kept, which is as much."""
_WITHOUT_TABLES = (
    "the ledger {0} holds no tables, as what 'cp' takes of a ledger in use: they are in its -wal file. Put "
    "back a copy that 'playment-agent backup' made; to start with a new ledger, remove this file"
)


def iso(moment: datetime) -> str:
    """Return a UTC time as the ledger writes it: `2026-11-21T22:20:08.123Z`."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(moment: datetime) -> int:
    """Return a UTC time as `event_log` holds it: since 1970, cut off as `iso` does."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def rows_of(sql: sqlite3.Connection, query: str, *values: object) -> list[dict[str, Any]]:
    """Return a query's rows, each a mapping of column names to values."""
    found = sql.execute(query, values)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found]


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a connection to the ledger file, which must exist for `read_only`.

    Raises LedgerUnavailable with what SQLite said, and where to look; LedgerRefused for what is no ledger of ours.
    """
    if path.is_dir():
        raise LedgerRefused(f"the ledger {path} is a folder: LEDGER_PATH must name a file")
    if files.is_header_alone(path):
        raise LedgerRefused(_WITHOUT_TABLES.format(path))
    with contextlib.ExitStack() as undo:
        try:
            if read_only and not path.exists():
                raise no_ledger(path)
            connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}",
                uri=True,
                timeout=LOCKED_LEDGER.patience,
                isolation_level=None,
                check_same_thread=False,
            )
            undo.callback(connection.close)
            version = version_of(connection)
            if read_only:
                if version == 0:
                    raise no_ledger(path)
                connection.execute("pragma query_only = on")
        except (sqlite3.Error, OSError) as error:
            raise unusable(f"the ledger {path} cannot be opened", error) from error
        undo.pop_all()
    return connection


def unusable(what: str, error: Exception) -> LedgerUnavailable:
    """Return our error for one of SQLite's, with what to do where the file itself is spoilt; `what` begins it."""
    advice = (
        ". Move it away with its -wal and -shm files and start again: jobs that were sent are recognised by their ids; "
        "'sqlite3 LEDGER .recover' may save the rest"
    )
    return LedgerUnavailable(f"{what}: {error}{advice if _is_spoilt(error) else ''}")


def unreadable(error: sqlite3.Error) -> LedgerUnreadable:
    """Return our error for one of SQLite's that a question met with; `unusable` may make a sentence of it."""
    return LedgerUnreadable(str(error), is_spoilt=_is_spoilt(error))


def _is_spoilt(error: Exception) -> bool:
    if isinstance(error, LedgerUnreadable):
        return error.is_spoilt
    # SQLite's other errors are of subclasses; this class alone stands for SQLITE_CORRUPT and SQLITE_NOTADB.
    return type(error) is sqlite3.DatabaseError


def no_ledger(path: Path) -> LedgerUnavailable:
    """Return the error for a ledger that is not there, and is not to be made."""
    return LedgerUnavailable(f"there is no ledger at {path}: has the agent run yet? LEDGER_PATH names the file")


class Ledger:
    """A connection that writes. Use it from one thread at a time; `clock` gives the time in UTC.

    `target` is what people call who takes the jobs, for the reasons that they read. `recent` holds frames that were
    just written, for who reads what is due. `mode` is that of the file, as `files.make` takes it. `tell` is told what
    makes the opening last, as by `migrate`. `late` is for how many seconds a request to the target may be on its way,
    where the same job can be made there twice; None where duplicates are refused.
    """

    def __init__(
        self,
        path: Path,
        clock: Callable[[], datetime],
        target: str = "the target",
        *,
        mode: int | None = None,
        tell: Callable[[str], None] = lambda _text: None,
        late: float | None = None,
    ) -> None:
        self.path = path
        self.late = late
        self.target = target
        self.recent = RecentFrames()
        self._clock = clock
        files.make(path, mode)
        self.sql = connect(path)
        try:
            self.sql.execute("pragma synchronous = full")
            self.sql.execute(f"pragma wal_autocheckpoint = {WAL_PAGES}")
            self.sql.execute(f"pragma journal_size_limit = {WAL_BYTES}")
            self.sql.execute("pragma foreign_keys = on")
            self.sql.execute("pragma recursive_triggers = on")  # a row that another replaces counts as deleted, too
            self.sql.execute("pragma journal_mode = wal")
            migrate(self.sql, tell)
            # What undoes one statement is taken by 64 KiB at once otherwise, and given back: triggers touch more pages.
            self.sql.execute("pragma temp_store = memory")
        except sqlite3.Error as error:
            self.sql.close()
            raise unusable(f"the ledger {path} cannot be used", error) from error
        except LedgerRefused:
            self.sql.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self.sql.close()

    def shrink_wal(self) -> None:
        """Give back what the WAL has grown by while someone read for long; who still does is not waited for."""
        if files.wal_bytes(self.path) > WAL_BYTES:
            (patience,) = self.sql.execute("pragma busy_timeout").fetchone()
            self.sql.execute("pragma busy_timeout = 0")
            self.sql.execute("pragma wal_checkpoint(truncate)")
            self.sql.execute(f"pragma busy_timeout = {patience}")

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
        except (sqlite3.Error, LedgerUnreadable) as error:
            if self.sql.in_transaction:
                self.sql.execute("rollback")
            raise unusable(f"the ledger {self.path} cannot be written", error) from error

    def move(self, job: int, now: State, then: State, detail: str = "", **columns: object) -> None:
        """Change a job's state: the one way to do so. Sets `columns` with it and writes the event.

        Raises IllegalMove.
        """
        self.move_quietly(job, now, then, **columns)
        self.record(job, then, detail)

    def move_quietly(self, job: int, now: State, then: State, **columns: object) -> None:
        """Do so without an event: of the tries by which it is seen whether a remote is back, those in vain are no news.

        Raises IllegalMove.
        """
        check_move(now, then)
        self.set(job, state=then, updated_at=iso(self.now), **columns)

    def move_all(self, now: State, then: State, moves: Sequence[Mapping[str, object]], *, quiet: bool = False) -> None:
        """Change the state of many jobs as `move` does, by two statements in all.

        Each of `moves` has the job's `id`, the event's `detail`, and the columns to set, the same ones in all of them.
        `quiet`: without an event, as `move_quietly`. Raises IllegalMove.
        """
        check_move(now, then)
        if not moves:
            return
        at, first = self.now, moves[0]
        names = [name for name in first if name not in ("id", "detail")]
        # What is the same in all is said once: to have it of JSON for each row took a third of the time.
        own = [name for name in names if any(move[name] != first[name] for move in moves)]
        alike = {name: first[name] for name in names if name not in own}
        values = json.dumps([(move["id"], *(move[name] for name in own)) for move in moves])
        columns = [f", {name} = value ->> {place}" for place, name in enumerate(own, 1)]
        columns += [f", {name} = ?" for name in alike]
        self.sql.execute(
            f"update jobs set state = ?, updated_at = ?{''.join(columns)} from json_each(?) "  # noqa: S608 (our names)
            "where jobs.id = value ->> 0",
            (then, iso(at), *alike.values(), values),
        )
        if quiet:
            return
        self.sql.execute(
            "insert into event_log (at, job, event, detail) select ?, value ->> 0, ?, value ->> 1 from json_each(?)",
            (milliseconds(at), then, json.dumps([(move["id"], move["detail"]) for move in moves])),
        )

    def set(self, job: int, **columns: object) -> None:
        """Set columns of a job that are no change of state."""
        if not columns:
            return
        names = ", ".join(f"{name} = ?" for name in columns)
        self.sql.execute(f"update jobs set {names} where id = ?", (*columns.values(), job))  # noqa: S608 (our names)

    def record(self, job: int | None, event: str, detail: str = "") -> None:
        """Append an event; that of a job which was submitted needs no detail: the view shows its job_id."""
        self.sql.execute(
            "insert into event_log (at, job, event, detail) values (?, ?, ?, ?)",
            (milliseconds(self.now), job, event, detail),
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

        Raises LedgerRefused where it holds jobs of another world: see `world.rebind`.
        """
        with self.transaction():
            problem = other_world(self.sql, world)
            if problem:
                raise LedgerRefused(f"the ledger {self.path} {problem}")
            bind(self, world)
