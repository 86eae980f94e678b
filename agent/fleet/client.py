"""A host's way to its fleet: each question is one round trip, from any thread, and says in one sentence what fails."""

from __future__ import annotations

import json
import threading
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from agent.core import spend_guard
from agent.core.grants import Asked, Granted, Say
from agent.fleet.line import Address, Line
from agent.fleet.records import SCHEMA, Budget, Looked, Memory, Standing, Told, UnitSaid, Whose

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent.fleet.records import Beat, Finished, Mirrored, UnitClaim

LEASE_SECONDS = 600.0
"""Longer than a POST may take (120 s). It is no proof of death: who wakes after it asks again, and is told."""
BATCH = 500

T = TypeVar("T")


class Fleet:
    """What a host asks the fleet and tells it.

    A host beats before it asks for grants, and about every ten seconds. Where a beat says `must_mirror`, all that was
    sent from here is mirrored, then the database is trusted (`trust`), and only then it grants anything. `budget` and
    `lease` may be set anew at any time. Every method raises FleetUnavailable, with one sentence, and FleetRefused where
    a person must mend it; neither holds a password.
    """

    def __init__(self, dsn: str, project: str, host: str) -> None:
        self._line = Line(Address(dsn, host))
        self._me = (project, host)
        self._lock = threading.Lock()
        self.memory = Memory()
        self.budget = Budget()
        self.lease = LEASE_SECONDS

    def close(self) -> None:
        """Close what is open; the fleet may be asked again all the same."""
        self._line.keep(as_told=False)

    def remember(self, memory: Memory) -> None:
        """Go on with what was kept over a restart; before the first beat."""
        self.memory = memory

    def trust(self, database: str) -> None:
        """Ask this database for grants from now on: all that was sent from here was told to it. Beat soon after."""
        with self._lock:
            self.memory = replace(self.memory, database=database)

    def beat(self, beat: Beat) -> Told:
        """Say that this host is alive, and how it stands."""
        budget, memory = self.budget, self.memory
        row = self._row(
            "select * from fleet.fleet_beat(%s, %s, %s, %s, %s, %s, %s::jsonb, %s, %s, %s, %s)",
            memory.number,
            memory.database,
            SCHEMA,
            beat.version,
            json.dumps(dict(beat.counts)),
            beat.folder,
            budget.per_minute,
            budget.limits.jobs,
            budget.limits.frames,
        )
        database, number, schema, paused, blocked, held, jobs, frames, clock, keep, sharing = row
        with self._lock:
            self.memory = replace(self.memory, number=number)
            must_mirror = self.memory.database != database
        self._line.keep(as_told=keep)
        memory = Memory(database, number)
        return Told(memory, must_mirror, schema, paused, blocked, held, jobs, frames, clock, tuple(sharing))

    def ask(self, asked: Sequence[Asked]) -> list[Granted]:
        """Return a verdict for each id; no id may be there twice."""
        limits, memory = self.budget.limits, self.memory
        rows = self._rows(
            "select * from fleet.fleet_grant(%s, %s, %s, %s, %s::text[], %s::int[], %s::float8, %s, %s, %s::float8)",
            memory.number,
            memory.database,
            [each.reference_id for each in asked],
            [each.frames for each in asked],
            self.budget.per_minute,
            limits.jobs,
            limits.frames,
            self.lease,
        )
        said = []
        for n, word, job_id, seconds, jobs, frames, why in rows:
            each, say = asked[n - 1], Say[word.upper()]
            if say in {Say.TOMORROW, Say.NEVER}:
                _, why = spend_guard.ask(limits, spend_guard.Spent(jobs, frames), each.frames)  # noqa: PLW2901 (in the spend guard's words)
            said.append(Granted(each.reference_id, say, job_id, seconds, why))
        return said

    def mirror(self, rows: Sequence[Mirrored]) -> list[str]:
        """Tell what was sent from here; return the ids that another host's lease keeps: to be told again later."""
        kept: list[str] = []
        for some in _batches(rows):
            kept += self._column(
                "select * from fleet.fleet_mirror(%s, %s, %s::text[], %s::text[], %s::int[], %s, %s::date[], %s)",
                [row.reference_id for row in some],
                [row.job_id for row in some],
                [row.frames for row in some],
                [row.is_open for row in some],
                [row.day or None for row in some],
                self.lease,
            )
        return kept

    def jobs(self, reference_ids: Sequence[str]) -> dict[str, str]:
        """Return the job_ids that the fleet knows of these ids."""
        found: dict[str, str] = {}
        for some in _batches(reference_ids):
            found |= dict(self._rows("select * from fleet.fleet_jobs(%s, %s, %s::text[])", list(some)))
        return found

    def block(self, reason: str) -> None:
        """Let no host send because the key or the project is refused; '' lets them again."""
        self._row("select fleet.fleet_block(%s, %s, %s)", reason)

    def hold(self, seconds: float) -> None:
        """Let no host send for so long, since the server has asked for it."""
        self._row("select fleet.fleet_hold(%s, %s, %s::float8)", seconds)

    def pause(self, *, paused: bool) -> bool:
        """Let no host send, or let them again, as a person says; return whether it was paused before."""
        project, _ = self._me
        return bool(self._rows_of("select fleet.fleet_pause(%s, %s)", project, paused)[0][0])

    def forget(self, host: str) -> None:
        """Let go of a dead host and what it has claimed; only the database's owner may."""
        project, _ = self._me
        self._rows_of("select fleet.fleet_forget(%s, %s)", project, host)

    def status(self) -> Standing:
        """Return how the fleet stands."""
        project, _ = self._me
        found = self._rows_of("select fleet.fleet_told(%s)", project)[0][0]
        return Standing(found["today"] or {}, tuple(found["hosts"]), tuple(found["attention"]))

    def look(self, folder: str) -> Looked:
        """Return what a person is to know of the database; nothing is changed."""
        found = self._rows("select fleet.fleet_check(%s, %s, %s)", folder)[0][0]
        known = {each.name: found[each.name] for each in fields(Looked)}  # a newer database may say more
        return Looked(**(known | {"sharing": tuple(found["sharing"]), "attention": tuple(found["attention"])}))

    def claim(self, units: Sequence[UnitClaim]) -> list[UnitSaid]:
        """Return whose each unit is to read; no path may be there twice. The last beat must have told a folder."""
        said: list[UnitSaid] = []
        for some in _batches(units):
            rows = self._rows(
                "select * from fleet.fleet_claim(%s, %s, %s::text[], %s::text[], %s::text[], %s::float8)",
                [unit.path for unit in some],
                [unit.sizes for unit in some],
                [unit.stamps for unit in some],
                self.lease,
            )
            said += [UnitSaid(some[n - 1].path, Whose(word), *rest) for n, word, *rest in rows]
        return said

    def renew(self, paths: Sequence[str]) -> list[str]:
        """Keep units that are being read for another lease; return those that are still ours."""
        query = "select * from fleet.fleet_renew(%s, %s, %s::text[], %s::float8)"
        return [path for some in _batches(paths) for path in self._column(query, list(some), self.lease)]

    def finish(self, units: Sequence[Finished]) -> list[str]:
        """Say as what units were read; they stay ours until they are sent. Return those that are still ours."""
        query = "select * from fleet.fleet_finish(%s, %s, %s::text[], %s::text[], %s::text[])"
        return [
            path
            for some in _batches(units)
            for path in self._column(query, *([unit[column] for unit in some] for column in range(3)))
        ]

    def release(self, paths: Sequence[str]) -> None:
        """Leave units that were not read to others."""
        for some in _batches(paths):
            self._row("select fleet.fleet_release(%s, %s, %s::text[])", list(some))

    def _row(self, query: str, *values: object) -> tuple[Any, ...]:
        return self._rows(query, *values)[0]

    def _column(self, query: str, *values: object) -> list[str]:
        return [row[0] for row in self._rows(query, *values)]

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask as this host."""
        return self._rows_of(query, *self._me, *values)

    def _rows_of(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self._line.call(lambda connection: connection.execute(query.encode(), values).fetchall())


def _batches(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]
