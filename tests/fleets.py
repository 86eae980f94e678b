"""A fleet in memory: what the hosts share, and each host's way to it. For rules; the real one is in `agent/fleet`."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from agent.core import spend_guard
from agent.core.grants import Asked, Granted, Say
from agent.core.spend_guard import Allowance, Spent
from agent.errors import FleetUnavailable
from agent.fleet.records import Beat, Budget, Memory, Mirrored, Told

if TYPE_CHECKING:
    from collections.abc import Sequence

SAYS = {Allowance.TODAY: Say.GO, Allowance.TOMORROW: Say.TOMORROW, Allowance.NEVER: Say.NEVER}


@dataclass
class Claim:
    """Whose a reference_id is; `job_id` once it was sent. A claim whose lease has run out is anybody's."""

    host: str
    job_id: str = ""
    has_lease: bool = True


@dataclass
class Shared:
    """What all hosts share. `away` is why the database does not answer, or None; `starts` what the rate has left."""

    budget: Budget = field(default_factory=Budget)
    database: str = "first"
    away: FleetUnavailable | None = None
    blocked: str = ""
    paused: bool = False
    held: float = 0.0
    starts: int | None = None
    to_midnight: float = 0.0
    day: str = "2026-03-01"
    spent: Spent = field(default_factory=Spent)
    claims: dict[str, Claim] = field(default_factory=dict)
    beats: dict[str, Beat] = field(default_factory=dict)
    numbers: Counter[str] = field(default_factory=Counter)
    calls: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def member(self, host: str) -> Member:
        """Return a host's way to it."""
        return Member(self, host)

    def forgets(self, database: str) -> None:
        """Be an empty database of another id from now on."""
        with self.lock:
            self.database = database
            self.claims, self.spent = {}, Spent()

    def sent(self) -> dict[str, str]:
        """Return the job_ids that are known."""
        with self.lock:
            return {reference_id: claim.job_id for reference_id, claim in self.claims.items() if claim.job_id}


class Member:
    """A host's way to a fleet in memory: it trusts no database that was not told of all."""

    def __init__(self, shared: Shared, host: str) -> None:
        self._shared = shared
        self._host = host
        self.budget = shared.budget
        self.memory = Memory()
        self.answers_lost = 0
        """So many grants are made whose answer is lost on its way."""

    def remember(self, memory: Memory) -> None:
        self.memory = memory

    def trust(self, database: str) -> None:
        self.memory = replace(self.memory, database=database)

    def beat(self, beat: Beat) -> Told:
        shared = self._shared
        with self._round("beat"):
            shared.beats[self._host] = beat
            number = shared.numbers[self._host] = max(shared.numbers[self._host], self.memory.number) + 1
            must_mirror = self.memory.database != shared.database
            self.memory = replace(self.memory, number=number)
            memory = Memory(shared.database, number)
            spent = shared.spent
            return Told(memory, must_mirror, 1, shared.paused, shared.blocked, shared.held, *_counts(spent), 0.0)

    def ask(self, asked: Sequence[Asked]) -> list[Granted]:
        with self._round("ask"):
            if self.memory.database != self._shared.database:
                raise FleetUnavailable("another database")
            answers = [self._say(*each) for each in asked]
            if self.answers_lost:
                self.answers_lost -= 1
                raise FleetUnavailable("the answer is lost")
            return answers

    def _say(self, reference_id: str, frames: int) -> Granted:
        shared = self._shared
        claim = shared.claims.get(reference_id)
        if claim is not None and claim.job_id:
            return Granted(reference_id, Say.THEIRS, claim.job_id)
        if claim is not None and claim.host != self._host and claim.has_lease:
            return Granted(reference_id, Say.TAKEN, seconds=5.0)
        if shared.blocked or shared.paused:
            return Granted(reference_id, Say.SHUT, why=shared.blocked or "paused")
        answer, why = (Allowance.TODAY, "") if claim else spend_guard.ask(self.budget.limits, shared.spent, frames)
        say = SAYS[answer]
        if say is Say.GO and shared.starts == 0:
            return Granted(reference_id, Say.WAIT, seconds=0.5)
        if say is Say.GO:
            shared.starts = shared.starts and shared.starts - 1
            shared.claims[reference_id] = Claim(self._host)
            if claim is None:
                shared.spent = Spent(shared.spent.jobs + 1, shared.spent.frames + frames)
        return Granted(reference_id, say, seconds=shared.to_midnight if say is Say.TOMORROW else 0.0, why=why)

    def mirror(self, rows: Sequence[Mirrored]) -> list[str]:
        shared, kept = self._shared, []
        with self._round("mirror"):
            for row in rows:
                claim = shared.claims.get(row.reference_id)
                if claim is None and row.day == shared.day:
                    shared.spent = Spent(shared.spent.jobs + 1, shared.spent.frames + row.frames)
                if claim is not None and claim.host != self._host and claim.has_lease and not claim.job_id:
                    kept.append(row.reference_id)
                elif claim is None or not claim.job_id:
                    shared.claims[row.reference_id] = Claim(self._host, row.job_id, row.is_open)
        return kept

    def jobs(self, reference_ids: Sequence[str]) -> dict[str, str]:
        with self._round("jobs"):
            sent = self._shared.sent()
            return {each: sent[each] for each in reference_ids if each in sent}

    def block(self, reason: str) -> None:
        with self._round("block"):
            self._shared.blocked = reason

    def hold(self, seconds: float) -> None:
        with self._round("hold"):
            self._shared.held = max(self._shared.held, seconds)

    def close(self) -> None:
        """Nothing is open."""

    def _round(self, call: str) -> threading.RLock:
        """Make a round trip. Raises FleetUnavailable while the database is away."""
        self._shared.calls.append(f"{self._host} {call}")
        if self._shared.away is not None:
            raise self._shared.away
        return self._shared.lock


def _counts(spent: Spent) -> tuple[int, int]:
    return spent.jobs, spent.frames
