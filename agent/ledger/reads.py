"""Every question that is asked of the ledger, those of noticing and of people too: who reads it needs no SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.ledger import due, holds, lookups, past, recorded, related, results, spend, traces
from agent.ledger.reads_for_noticing import ReadsForNoticing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from datetime import datetime

    from agent.core.plan import KnownRow, LeftBehind
    from agent.core.reference_id import IdRules
    from agent.core.spend_guard import Spent
    from agent.ledger.due import Candidate, Waiting
    from agent.ledger.recent_frames import RecentFrames
    from agent.ledger.recorded import Recorded, Sent
    from agent.ledger.results import Completed
    from agent.ledger.traces import Holder, Trace
    from agent.model import Action, Stamp, Unit
    from agent.model.jobs import Found, Lookup, SentJob, Terms
    from agent.model.units import Sight


class Reads(ReadsForNoticing):
    """Answers the questions of all stages, and those of people."""

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
