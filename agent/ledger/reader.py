"""How the ledger is opened to be read, and how a question is put: what its storage says is told in our words."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Self, TypeVar

from agent.ledger import store
from agent.ledger.upgrade import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from agent.ledger.store import Ledger

P = ParamSpec("P")
R = TypeVar("R")


class Reader:
    """A connection that answers questions. Whoever opens one closes it, and lets one thread at a time ask."""

    def __init__(self, sql: sqlite3.Connection) -> None:
        self._sql = sql

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the ledger of a path, which must be there. Raises LedgerUnavailable, LedgerRefused."""
        return cls(store.connect(path, read_only=True))

    @classmethod
    def of_nothing(cls) -> Self:
        """Return what answers as a ledger does that was just made."""
        sql = sqlite3.connect(":memory:", isolation_level=None)
        migrate(sql)
        return cls(sql)

    @classmethod
    def within(cls, ledger: Ledger) -> Self:
        """Ask as the writer does, in its thread: what its transaction has written is seen. The ledger stays open."""
        return cls(ledger.sql)

    def close(self) -> None:
        """Close the ledger for this reader."""
        self._sql.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, question: Callable[Concatenate[sqlite3.Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return question(self._sql, *args, **kwargs)
        except sqlite3.Error as error:
            raise store.unreadable(error) from error

    def _each(
        self, question: Callable[Concatenate[sqlite3.Connection, P], Iterator[R]], *args: P.args, **kwargs: P.kwargs
    ) -> Iterator[R]:
        try:
            yield from question(self._sql, *args, **kwargs)
        except sqlite3.Error as error:
            raise store.unreadable(error) from error
