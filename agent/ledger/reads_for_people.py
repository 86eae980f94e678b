"""How a question is put to the ledger, and every question that people ask.

Apart from those of the stages, since `status` takes twice as long with all that these need.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

from agent.ledger import all_rows, reports, store
from agent.ledger.upgrade import migrate
from agent.ledger.world import changes, other_world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from agent.ledger.numbers import Numbers
    from agent.ledger.reports import Counts, Report, RunSums
    from agent.ledger.store import Ledger
    from agent.ledger.world import Change

P = ParamSpec("P")
R = TypeVar("R")


class ReadsForPeople:
    """Answers questions, and changes nothing. Whoever opens one closes it, and lets one thread at a time ask.

    Each of the threads that read has its own. What a writer has not committed is not seen, but `within` its own
    transaction. Every question may raise LedgerUnreadable; answers are whole when they are given, but for iterators.
    """

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

    # How it stands

    def standing(self) -> Counts:
        """Return how many jobs are in each state."""
        return self._ask(reports.standing)

    def status(self) -> list[dict[str, Any]]:
        """Return how it stands, as the view `status` shows it."""
        return self._ask(reports.status)

    def sums_of_run(self) -> RunSums:
        """Return what was sent since the agent's last start, and what waits."""
        return self._ask(reports.sums_of_run)

    def report(self, now: datetime, limit: int = 20, *, by_folder: bool = False) -> Report:
        """Return what the command `status` shows, with up to `limit` rows that wait for a person."""
        return self._ask(reports.report, now, limit, by_folder=by_folder)

    def numbers(self) -> Numbers:
        """Return what a monitor asks for."""
        from agent.ledger.numbers import numbers  # noqa: PLC0415 - people who read words have no need of it

        return self._ask(numbers)

    def about(self, name: str, folder: str) -> list[dict[str, Any]]:
        """Return what became of a unit: its rows, newest first, each with its events."""
        return self._ask(reports.about, name, folder)

    def jobs(self) -> list[dict[str, Any]]:
        """Return every job."""
        return self._ask(all_rows.jobs)

    def events_after(self, event: int) -> list[dict[str, Any]]:
        """Return what has happened to jobs since an event."""
        return self._ask(all_rows.events_after, event)

    def sources(self, limit: int) -> list[str]:
        """Return where the first frames were published."""
        return self._ask(all_rows.sources, limit)

    # The ledger and its agent

    def damage(self) -> str:
        """Return what is damaged in the ledger's file, '' where it is whole."""
        return self._ask(reports.damage)

    def changes(self, settings: Mapping[str, str]) -> list[Change]:
        """Return in what the ledger is bound to other settings."""
        return self._ask(changes, settings)

    def other_world(self, settings: Mapping[str, str]) -> str | None:
        """Return what stands against using the ledger with these settings, if anything does."""
        return self._ask(other_world, settings)

    def agent(self) -> dict[str, str]:
        """Return what the agent says of itself, by key."""
        return self._ask(reports.agent)

    def last_start_or_stop(self) -> str:
        """Return which of the two the agent did last, '' where it has not run yet."""
        return self._ask(reports.last_start_or_stop)

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
