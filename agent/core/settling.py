"""Holds what was seen until it has been unchanged for long enough. Pure: it is handed the time and never asks a clock.

`now` is any monotonic number of seconds. The times that files carry play no part: a file of 1970 or 2099 settles as
any other, and a clock that jumps changes nothing.

A unit settles by two looks that agree, its quiet time apart, with no change noticed between them::

    settle.observe(unit, what_stat_says, quiet=2.0, now=10.0)
    settle.due(now=12.0)        # -> [unit]: look again
    settle.observe(unit, what_stat_says, quiet=2.0, now=12.0)
    settle.settled()            # -> [unit], and it is forgotten here
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.core.crowd import Crowd
from agent.core.retry import UNIT
from agent.model import Kind, basename, join
from agent.model.units import UnitKey

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterator, Sequence

    from agent.core.crowd import Calm


FEW = 64
"""Images that are better kept one by one."""
MOST_IN_VAIN = 1024
"""Deadlines that may be kept of units which do not wait any more, beside as many as do."""


@dataclass(slots=True)
class _Wait:
    fingerprint: Hashable
    quiet: float
    first_seen: float
    since: float
    blocked_until: float
    queued: float = -math.inf

    @property
    def deadline(self) -> float:
        return max(self.since + self.quiet, self.blocked_until)

    @property
    def moment(self) -> tuple[float, float]:
        return self.since, self.quiet

    @property
    def is_calm(self) -> bool:
        """Whether it was looked at once, and nothing keeps it."""
        return self.first_seen == self.since and self.blocked_until == -math.inf


class Settling:
    """The units that are waiting to become settled."""

    def __init__(self) -> None:
        self._waits: dict[UnitKey, _Wait] = {}
        self._deadlines: dict[Kind, list[tuple[float, UnitKey]]] = {kind: [] for kind in Kind}
        self._settled: list[UnitKey] = []
        self._crowd = Crowd()

    def __len__(self) -> int:
        """Return how many units wait."""
        return len(self._waits) + len(self._crowd)

    def __contains__(self, unit: UnitKey) -> bool:
        """Tell whether the unit waits here."""
        return unit in self._waits or unit in self._crowd

    def __iter__(self) -> Iterator[UnitKey]:
        """Walk over the units that wait."""
        yield from self._waits
        yield from self._crowd

    def observe(
        self,
        unit: UnitKey,
        fingerprint: Hashable,
        *,
        quiet: float,
        now: float,
        took: float = 0.0,
        blocked_until: float = -math.inf,
    ) -> None:
        """Take a look at `unit`: `fingerprint` is equal to the last one exactly where nothing has changed.

        The look began at `now` and `took` so many seconds. The quiet time (`quiet` seconds) starts anew, at the look's
        end, where the fingerprint differs. `blocked_until` keeps the unit from settling before that time however quiet
        it is (a temporary name beside its files; infinity: a ready marker that is not there yet).
        """
        wait = self._wait_of(unit)
        if wait is None:
            wait = self._waits[unit] = _Wait(fingerprint, quiet, now, now + took, blocked_until)
            self._queue(unit, wait, wait.deadline)
            return
        if fingerprint != wait.fingerprint:
            wait.fingerprint = fingerprint
            wait.since = now + took
        wait.quiet = quiet
        wait.blocked_until = blocked_until
        if wait.deadline <= now:
            del self._waits[unit]
            self._settled.append(unit)
        elif wait.deadline < wait.queued:  # a later one is put right when its old deadline comes up
            self._queue(unit, wait, wait.deadline)

    def touch(self, unit: UnitKey, now: float) -> None:
        """Start the quiet time anew: something happened to the unit, not known what."""
        wait = self._wait_of(unit)
        if wait is not None:
            wait.since = now

    def block(self, unit: UnitKey, until: float) -> None:
        """Keep a unit that waits from settling before `until`, or no longer (-infinity)."""
        wait = self._wait_of(unit)
        assert wait is not None
        wait.blocked_until = until
        if wait.deadline < wait.queued:
            self._queue(unit, wait, wait.deadline)

    def is_blocked(self, unit: UnitKey, now: float) -> bool:
        """Tell whether a unit waits that is kept from settling, however quiet it is."""
        wait = self._waits.get(unit)
        return wait is not None and wait.blocked_until > now

    def forget(self, unit: UnitKey) -> None:
        """Stop waiting for the unit."""
        if self._waits.pop(unit, None) is None:
            self._crowd.take(unit)

    def gather(self, folder: str, images: Sequence[UnitKey]) -> None:
        """Keep in few bytes those of some images of a folder that were first seen in one moment.

        Their fingerprints must be numbers of 64 bits.
        """
        calm: list[tuple[str, int]] = []
        last = self._waits.get(images[-1]) if images else None
        for unit in images:
            wait = self._waits.get(unit)
            if wait is not None and last is not None and wait.is_calm and wait.moment == last.moment:
                assert isinstance(wait.fingerprint, int)
                calm.append((basename(unit.path), wait.fingerprint))
        if last is None or len(calm) < FEW:
            return
        for name, _ in calm:
            del self._waits[UnitKey(join(folder, name), Kind.IMAGE)]
        calm.sort()  # they come in the ledger's order, where names that are no UTF-8 stand elsewhere
        names, looks = zip(*calm, strict=True)
        self._crowd.add(folder, names, looks, last.since, last.quiet)

    def due(self, now: float, most: float = math.inf, kinds: Collection[Kind] = tuple(Kind)) -> list[UnitKey]:
        """Return up to `most` units whose quiet time is over; each must be looked at again and given to `observe`."""
        units: list[UnitKey] = []
        for kind in kinds:
            deadlines = self._deadlines[kind]
            while len(units) < most:
                crowded = self._crowd.deadline() if kind is Kind.IMAGE else math.inf
                if crowded <= now and not (deadlines and deadlines[0][0] < crowded):
                    unit, calm = self._crowd.next()
                    self._queue(unit, self._alone(unit, calm), now + UNIT.seconds())
                    units.append(unit)
                    continue
                if not (deadlines and deadlines[0][0] <= now):
                    break
                at, unit = heapq.heappop(deadlines)
                wait = self._waits.get(unit)
                if wait is None or wait.queued != at:
                    continue
                if wait.deadline <= now:
                    units.append(unit)
                    self._queue(unit, wait, now + UNIT.seconds())
                else:
                    self._queue(unit, wait, wait.deadline)
        return units

    def waits_until(self, unit: UnitKey) -> float:
        """Return when a unit that waits will have settled, should nothing happen to it; infinity where that is open."""
        wait = self._wait_of(unit)
        assert wait is not None
        return wait.deadline

    def settled(self) -> list[UnitKey]:
        """Return the units that have settled since the last call; they are forgotten here."""
        units, self._settled = self._settled, []
        return units

    def next_deadline(self, kinds: Collection[Kind] = tuple(Kind)) -> float | None:
        """Return when `due` will next have something to say, or None where nothing waits for a time to pass."""
        ats = [at for kind in kinds if (at := self._next_of(kind)) is not None]
        return min(ats, default=None)

    def _next_of(self, kind: Kind) -> float | None:
        deadlines = self._deadlines[kind]
        next_at = self._crowd.deadline() if kind is Kind.IMAGE else math.inf
        while deadlines:
            at, unit = deadlines[0]
            if self._is_queued(unit, at):
                next_at = min(at, next_at)
                break
            heapq.heappop(deadlines)
        return next_at if next_at != math.inf else None

    def growing(self, now: float, factor: float) -> list[UnitKey]:
        """Return the units that were first seen longer than `factor` times their quiet time ago and still wait."""
        alone = [unit for unit, wait in self._waits.items() if now - wait.first_seen > factor * wait.quiet]
        return [*alone, *self._crowd.growing(now, factor)]

    def _wait_of(self, unit: UnitKey) -> _Wait | None:
        """Return how a unit waits, from now on on its own."""
        wait = self._waits.get(unit)
        if wait is None and (calm := self._crowd.take(unit)) is not None:
            wait = self._alone(unit, calm)
            self._queue(unit, wait, wait.deadline)
        return wait

    def _alone(self, unit: UnitKey, calm: Calm) -> _Wait:
        wait = self._waits[unit] = _Wait(calm.look, calm.quiet, calm.since, calm.since, -math.inf)
        return wait

    def _queue(self, unit: UnitKey, wait: _Wait, at: float) -> None:
        wait.queued = at
        deadlines = self._deadlines[unit.kind]
        heapq.heappush(deadlines, (at, unit))
        if len(deadlines) > MOST_IN_VAIN + 2 * len(self._waits):
            # What was forgotten while it waited for ever (for a marker) would stay for as long as anything does so.
            deadlines[:] = [(at, unit) for at, unit in deadlines if self._is_queued(unit, at)]
            heapq.heapify(deadlines)

    def _is_queued(self, unit: UnitKey, at: float) -> bool:
        wait = self._waits.get(unit)
        return wait is not None and wait.queued == at
