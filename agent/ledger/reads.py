"""Every question that is asked of the ledger, on one page: who reads it needs to know these, and no SQL."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

from agent.ledger import due, holds, lookups, past, recorded, related, reports, results, seen, spend, store, traces
from agent.ledger.upgrade import migrate
from agent.ledger.world import Change, changes, other_world

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from agent.core.plan import KnownRow, LeftBehind
    from agent.core.reference_id import IdRules
    from agent.core.spend_guard import Spent
    from agent.ledger.due import Candidate, Waiting
    from agent.ledger.recent_frames import RecentFrames
    from agent.ledger.recorded import Recorded, Sent
    from agent.ledger.reports import Counts, Report, RunSums
    from agent.ledger.results import Completed
    from agent.ledger.seen import Seen, Span
    from agent.ledger.store import Ledger
    from agent.ledger.traces import Holder, Trace
    from agent.ledger.units import Sight
    from agent.model import Action, File, Stamp, Unit, UnitKey
    from agent.model.jobs import Found, Lookup, SentJob, Terms

P = ParamSpec("P")
R = TypeVar("R")


class Reads:
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

    # What a listing is compared with

    def images_in(self, folder: str, span: Span) -> dict[str, Seen]:
        """Return how the single images of a span of a folder stand, by path."""
        return self._ask(seen.images_in, folder, span)

    def newest(self, unit: UnitKey) -> Seen | None:
        """Return how a unit stands, None where it is not known."""
        return self._ask(seen.newest, unit)

    def files_like(self, unit: UnitKey, count: int, size: int) -> list[File]:
        """Return how the files of a unit's newest row looked, where they are so many and of that size together."""
        return self._ask(seen.files_like, unit, count, size)

    def unsent_in(self, folder: str, span: Span) -> list[UnitKey]:
        """Return the units of a span of a folder that are not sent yet."""
        return self._ask(seen.unsent_in, folder, span)

    def listed_in(self, folder: str, span: Span) -> list[UnitKey]:
        """Return the units of a span of a folder that its listing should show."""
        return self._ask(seen.listed_in, folder, span)

    def unsent(self) -> list[UnitKey]:
        """Return all units that are not sent yet."""
        return self._ask(seen.unsent)

    def folders_below(self, folder: str) -> list[str]:
        """Return the folders at and below this one that have units."""
        return self._ask(seen.folders_below, folder)

    def folders(self) -> Iterator[str]:
        """Yield the folders that have units."""
        return self._each(seen.folders)

    def settling(self) -> list[UnitKey]:
        """Return the units that wait to be settled."""
        return self._ask(seen.settling)

    def unreadable(self) -> set[UnitKey]:
        """Return the units that wait since they could not be read."""
        return self._ask(seen.unreadable)

    def is_to_be_held(self, sight: Sight) -> bool:
        """Tell whether a unit would be held unread, or is."""
        return self._ask(holds.is_to_be_held, sight)

    # What a settled unit is compared with

    def plan(self, unit: Unit, rules: IdRules, left: LeftBehind) -> Action:
        """Return what is to be done about a settled unit, where so much is not at its old place any more."""
        return self._ask(related.plan, unit, rules, left)

    def same_content(self, unit: Unit) -> list[KnownRow]:
        """Return the rows elsewhere that have a unit's content."""
        return self._ask(related.same_content, unit)

    def noticed_at(self, unit: Unit) -> str | None:
        """Return when a unit that settles was noticed, None where that is not written."""
        return self._ask(related.noticed_at, unit)

    def has_no_past(self) -> bool:
        """Tell whether no agent has run with the ledger, nor has a person used it."""
        return self._ask(past.has_none)

    def listed_like(self, unit: Unit) -> list[tuple[Found, str]]:
        """Return the jobs of a unit's content that the target had before there was this ledger, with their paths."""
        return self._ask(past.like, unit)

    def first_frame(self, job: int) -> tuple[str, Stamp] | None:
        """Return where a job's first file was, and what it looked like."""
        return self._ask(related.first_frame, job)

    def sequences_with(self, unit: Unit) -> list[Holder]:
        """Return the sequences that were taken with some of a unit's bytes."""
        return self._ask(traces.sequences_with, unit)

    def frames_of(self, sequence: Holder) -> Iterator[Trace]:
        """Yield the frames of one of these."""
        return self._each(traces.frames_of, sequence)

    def images_with(self, unit: Unit) -> Iterator[Trace]:
        """Yield the single images that were taken with some of a unit's bytes."""
        return self._each(traces.images_with, unit)

    # What is sent

    def due(
        self,
        now: datetime,
        limit: int,
        exclude: Collection[int],
        terms: Terms,
        *,
        recent: RecentFrames,
        most_frames: int | None = None,
    ) -> list[Candidate]:
        """Return the jobs that are to be sent now."""
        return self._ask(due.due, now, limit, exclude, terms, recent=recent, most_frames=most_frames)

    def probe(self, now: datetime, exclude: Collection[int], terms: Terms, *, recent: RecentFrames) -> Candidate | None:
        """Return the job by which it is seen whether a remote is back."""
        return self._ask(due.probe, now, exclude, terms, recent=recent)

    def waiting(self) -> list[Waiting]:
        """Return the jobs that are to be sent, now or later."""
        return self._ask(due.waiting)

    def next_due(self, exclude: Collection[int], *, lookup: bool) -> datetime | None:
        """Return when the next job is to be sent, or looked up."""
        return self._ask(due.next_due, exclude, lookup=lookup)

    def lookups(self, now: datetime) -> list[Lookup]:
        """Return the jobs that are to be looked up in the target's lists now."""
        return self._ask(lookups.lookups, now)

    def spent_today(self, now: datetime) -> Spent:
        """Return what was counted on this UTC day."""
        return self._ask(spend.today, now)

    def has_uncounted_due(self, now: datetime) -> bool:
        """Tell whether a job is to be sent now that was not counted yet."""
        return self._ask(spend.has_uncounted_due, now)

    def put_off(self, now: datetime) -> int:
        """Return how many jobs wait for another day."""
        return self._ask(spend.put_off, now)

    # What is fetched

    def open_batches(self) -> dict[str | None, int]:
        """Return how many submitted jobs each batch has, None standing for the default one."""
        return self._ask(results.open_batches)

    def open_jobs(self, batch_id: str | None) -> list[SentJob]:
        """Return the submitted jobs of a batch."""
        return self._ask(results.open_jobs, batch_id)

    def still_open(self, jobs: Iterable[SentJob]) -> list[SentJob]:
        """Return those of the jobs that are not known as completed."""
        return self._ask(results.still_open, jobs)

    def unfetched(self, now: datetime | None, after: int, limit: int) -> list[Completed]:
        """Return completed jobs whose result is not here."""
        return self._ask(results.unfetched, now, after, limit)

    def count_unfetched(self, now: datetime | None) -> int:
        """Return how many these are."""
        return self._ask(results.count_unfetched, now)

    # What the target's lists are compared with

    def recorded(self, reference_id: str) -> Recorded | None:
        """Return what is known of the job of a reference_id."""
        return self._ask(recorded.recorded, reference_id)

    def sent(self) -> Iterator[Sent]:
        """Yield the jobs that the target has."""
        return self._each(recorded.sent)

    # What people ask

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

    def about(self, name: str, folder: str) -> list[dict[str, Any]]:
        """Return what became of a unit: its rows, newest first, each with its events."""
        return self._ask(reports.about, name, folder)

    def jobs(self) -> list[dict[str, Any]]:
        """Return every job."""
        return self._ask(reports.jobs)

    def events_after(self, event: int) -> list[dict[str, Any]]:
        """Return what has happened to jobs since an event."""
        return self._ask(reports.events_after, event)

    def sources(self, limit: int) -> list[str]:
        """Return where the first frames were published."""
        return self._ask(reports.sources, limit)

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
