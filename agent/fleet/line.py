"""Connections to the database: made, asked and closed; one is kept for a while where the server has room for it."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict

from agent.errors import FleetUnavailable
from agent.fleet import refusals

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

T = TypeVar("T")

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 8.0
"""A statement is ended by the server after so long, and given up here two seconds later, should the server hang."""
KEPT_SECONDS = 600.0
"""No connection is kept for longer: a server that was moved, or has other rules now, is found again."""
CUT = frozenset({None, "57P01", "57P02", "57P03", "57P05"})
"""No answer at all, or the server said that it ends, has crashed, or ends what is idle."""


class Address:
    """Where the database is, and as whom: shown to nobody, since a password may stand in it.

    `name` is what the server's operator sees of us. Raises FleetRefused for what is no address.
    """

    __slots__ = ("_dsn", "_hidden", "_more")

    def __init__(self, dsn: str, name: str) -> None:
        try:
            given = conninfo_to_dict(dsn)
        except psycopg.Error:
            raise refusals.unusable_address() from None
        self._dsn = dsn
        self._hidden = [str(given[key]) for key in ("password", "sslpassword") if given.get(key)]
        self._more: dict[str, Any] = {
            "application_name": name[:63],  # a longer one is cut, and warned of in the server's log
            "connect_timeout": CONNECT_SECONDS,
            "options": f"{given.get('options') or ''} -c statement_timeout={STATEMENT_SECONDS * 1000:.0f}".strip(),
            "tcp_user_timeout": int(STATEMENT_SECONDS * 1000),
        }

    def __repr__(self) -> str:
        return "***"

    def connect(self) -> Timed:
        """Return a new connection, in which each statement is a transaction. Raises FleetUnavailable, FleetRefused."""
        try:
            # No prepared statements: a pooler between us and the server may not know them.
            connection = Timed.connect(self._dsn, autocommit=True, prepare_threshold=None, **self._more)
        except psycopg.Error as error:
            raise refusals.told(error, self._hidden) from None
        connection.born = time.monotonic()
        return connection


class Timed(psycopg.Connection[tuple[Any, ...]]):
    """A connection that gives up at `expires`, a monotonic time: a server that hangs ends nothing itself."""

    expires = math.inf
    born = 0.0

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **named: Any) -> T:
        """Go through an exchange. Raises FleetUnavailable once it is too late."""
        return super().wait(_until(gen, self.expires), *args, **named)


class Line:
    """The way to one database, from any thread: one connection, which answers one question after the other.

    It may stay open for the next one as long as `keeps` is set.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._kept: Timed | None = None
        self.keeps = False

    def call(self, ask: Callable[[Timed], T]) -> T:
        """Return what a question gives. It may be asked twice: a kept connection may have been cut meanwhile.

        Raises FleetUnavailable, FleetRefused.
        """
        with self._lock:
            kept = self._take()
            if kept is not None:
                with contextlib.suppress(_CutError):
                    return self._ask(kept, ask, is_new=False)
            return self._ask(self._address.connect(), ask, is_new=True)

    def keep(self, *, as_told: bool) -> None:
        """Keep a connection for the next question from now on, for a while, or none: then what is kept is closed."""
        self.keeps = as_told
        # Whoever asks for longer closes it then: a stop need not wait for that.
        if not as_told and self._lock.acquire(timeout=0.2):
            try:
                kept = self._take()
            finally:
                self._lock.release()
            if kept is not None:
                kept.close()

    def _ask(self, connection: Timed, ask: Callable[[Timed], T], *, is_new: bool) -> T:
        connection.expires = time.monotonic() + STATEMENT_SECONDS + 2
        try:
            answer = ask(connection)
        except psycopg.Error as error:
            connection.close()
            if not is_new and isinstance(error, psycopg.OperationalError) and error.sqlstate in CUT:
                raise _CutError from None
            raise refusals.told(error, ()) from None
        except BaseException:
            connection.close()
            raise
        if self.keeps:
            self._kept = connection
        else:
            connection.close()
        return answer

    def _take(self) -> Timed | None:
        kept, self._kept = self._kept, None
        if kept is not None and time.monotonic() - kept.born > KEPT_SECONDS:
            kept.close()
            return None
        return kept


class _CutError(Exception):
    """A connection that was kept is no more."""


def _until(steps: Generator[Any, Any, T], expires: float) -> Generator[Any, Any, T]:
    """Go through the steps of an exchange as long as there is time; whoever waits wakes us ten times a second."""
    try:
        wanted = next(steps)
        while True:
            ready = yield wanted
            if time.monotonic() > expires:
                steps.close()
                raise FleetUnavailable("the fleet's database does not answer: it, or the network, hangs")
            wanted = steps.send(ready)
    except StopIteration as end:
        value: T = end.value
        return value


@contextlib.contextmanager
def transaction(address: Address) -> Iterator[Timed]:
    """Give a connection in one transaction, which is committed at the end and then closed.

    Raises FleetUnavailable, FleetRefused.
    """
    with contextlib.closing(address.connect()) as connection:
        try:
            with connection.transaction():
                yield connection
        except psycopg.Error as error:
            raise refusals.told(error, ()) from None
