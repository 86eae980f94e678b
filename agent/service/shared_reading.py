"""Shares the reading of a folder that several hosts see: each unit is claimed before it is read, by one of them.

A host claims no more than it is about to read, so that the others find work. What another one has read and sent is
taken over unread, where its files look the same here; where they do not, it is read here too, and found to be sent.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Protocol

from agent.core.retry import TAKEN
from agent.core.states import State
from agent.errors import FleetUnavailable
from agent.fleet.records import Finished as Found
from agent.fleet.records import UnitClaim, Whose
from agent.host.workers import DEFECT
from agent.model import shown
from agent.noticing.messages import Finished

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Future

    from agent.core.reference_id import IdRules
    from agent.fleet.records import UnitSaid
    from agent.ledger.writer import LedgerWriter
    from agent.model import Unit, UnitKey
    from agent.noticing.claims import Wanted
    from agent.noticing.decide import Verdicts

log = logging.getLogger(__package__)

MOST = 16
"""Units that are claimed and not read yet."""
RENEW_SECONDS = 60.0
CLOSE_SECONDS = 2.0
SENT = frozenset({State.PENDING, State.SUBMITTED})


class Units(Protocol):
    """The way to what hosts share of a folder; each question may raise FleetUnavailable."""

    def claim(self, units: Sequence[UnitClaim]) -> list[UnitSaid]:
        """Return whose each unit is to read."""

    def renew(self, paths: Sequence[str]) -> list[str]:
        """Keep units that are being read."""

    def finish(self, units: Sequence[Found]) -> list[str]:
        """Say as what units were read."""

    def release(self, paths: Sequence[str]) -> None:
        """Leave units that were not read to others."""


class Member(Protocol):
    """Knows whether the fleet has been met, and whether it is away (`trouble` says so)."""

    is_met: bool
    trouble: str

    def failed(self, error: FleetUnavailable) -> None:
        """Take note that it is away."""


class SharedReading:
    """A `Claims`. A thread of its own, `claim`, asks the fleet; its other methods are the loop's thread's.

    While the database is away, as the `member` knows, what settles is read unclaimed.
    """

    def __init__(
        self,
        units: Units,
        ledger: LedgerWriter,
        *,
        verdicts: Verdicts,
        rules: IdRules,
        post: Callable[[Finished], None],
        member: Member,
    ) -> None:
        self._units = units
        self._ledger = ledger
        self._verdicts = verdicts
        self._rules = rules
        self._post = post
        self._member = member
        self._changed = threading.Condition()
        self._wanted: deque[Wanted] = deque()
        self._claimed: dict[UnitKey, Unit | None] = {}
        self._read: list[tuple[UnitKey, Unit | None]] = []
        self._times: dict[UnitKey, int] = {}
        self._stopping = False
        self._renew_at = time.monotonic() + RENEW_SECONDS
        self._thread = threading.Thread(target=self._run, name="claim", daemon=True)
        self._thread.start()

    def take(self, wanted: Wanted) -> None:
        """Have a unit read, here or elsewhere."""
        with self._changed:
            self._wanted.append(wanted)
            self._changed.notify()

    def was_read(self, unit: UnitKey, state: State | None) -> None:
        """Have the others know what a unit is that was read here; what did not become a job they read themselves."""
        with self._changed:
            if unit in self._claimed:
                content = self._claimed.pop(unit)
                self._read.append((unit, content if state in SENT else None))
                self._changed.notify()

    def close(self) -> None:
        """Leave what is claimed to others, and end."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        while not self._stopping:
            with self._changed:
                self._changed.wait_for(self._has_work, max(0.0, self._renew_at - time.monotonic()))
            try:
                self._turn()
            except Exception:  # the thread must outlive a defect, or nothing would be read any more
                log.exception(DEFECT)
        with self._changed:
            claimed = [shown(unit.path) for unit in self._claimed]
        _told(partial(self._units.release, claimed))

    def _has_work(self) -> bool:
        may_claim = self._wanted and len(self._claimed) < MOST
        return bool(self._stopping or self._read or may_claim)

    def _turn(self) -> None:
        with self._changed:
            read, self._read = self._read, []
            claimed = [shown(unit.path) for unit in self._claimed]
        if time.monotonic() >= self._renew_at:
            self._renew_at = time.monotonic() + RENEW_SECONDS
            _told(partial(self._units.renew, claimed))
        self._tell(read)
        while not (self._member.is_met or self._member.trouble or self._stopping):
            with self._changed:
                self._changed.wait(0.1)
        with self._changed:
            count = min(len(self._wanted), MOST - len(self._claimed))
            wanted = [self._wanted.popleft() for _ in range(count)]
        if wanted and not self._stopping:
            self._claim(wanted)

    def _tell(self, read: Iterable[tuple[UnitKey, Unit | None]]) -> None:
        found: list[Found] = []
        others: list[str] = []
        for unit, content in read:
            path = shown(unit.path)
            if content is None or content.digest is None:
                others.append(path)
            else:
                found.append(Found(path, self._rules.reference_ids(content.path, content.digest)[0], content.digest))
        if found:
            _told(partial(self._units.finish, found))
        if others:
            _told(partial(self._units.release, others))

    def _claim(self, wanted: Sequence[Wanted]) -> None:
        """Claim units; while the database is away they are read all the same."""
        if self._member.trouble:
            _read(wanted)
            return
        try:
            said = self._units.claim([_claim_of(each) for each in wanted])
        except FleetUnavailable as error:
            self._member.failed(error)
            _read(wanted)
            return
        except Exception:
            log.exception(DEFECT)
            _read(wanted)
            return
        for each, answer in zip(wanted, said, strict=True):
            if answer.whose is Whose.OURS:
                self._times.pop(each.unit, None)
                self._claimed[each.unit] = None
                each.read(partial(self._reads, each))
            elif answer.whose is Whose.TAKEN:
                times = self._times[each.unit] = self._times.get(each.unit, 0) + 1
                self._post(Finished(each.unit, None, taken=min(TAKEN.seconds(times), max(answer.seconds, 0.1))))
            else:
                self._times.pop(each.unit, None)
                unit = each.unread(answer.digest)
                work = partial(
                    self._verdicts.take_over, unit=unit, reference_id=answer.reference_id, job_id=answer.job_id
                )
                self._ledger.submit(work).add_done_callback(partial(self._taken_over, each))

    def _reads(self, wanted: Wanted) -> Unit:
        """Read a claimed unit (in a reader's thread)."""
        content = wanted.reads()
        with self._changed:
            if wanted.unit in self._claimed:
                self._claimed[wanted.unit] = content
        return content

    def _taken_over(self, wanted: Wanted, written: Future[State | None]) -> None:
        """Tell the loop, or have the unit read after all (in the ledger's thread)."""
        if written.exception() is None and written.result() is None:
            wanted.read(wanted.reads)
            return
        self._post(Finished(wanted.unit, None if written.exception() else written.result()))


def _read(wanted: Iterable[Wanted]) -> None:
    """Have units read unclaimed."""
    for each in wanted:
        each.read(each.reads)


def _told(tell: Callable[[], object]) -> None:
    """Tell the fleet; where it is away, leases end by themselves."""
    try:
        tell()
    except FleetUnavailable as error:
        log.debug("not told of units: %s", error)


def _claim_of(wanted: Wanted) -> UnitClaim:
    """Return how a unit's files look to all hosts: inodes and their times are a host's own on many mounts."""
    files = sorted(wanted.files)
    sizes = [(shown(name), size) for name, size, *_ in files]
    times = [(shown(name), mtime) for name, _, mtime, *_ in files]
    return UnitClaim(shown(wanted.unit.path), _short(sizes), _short(times))


def _short(looks: Sequence[tuple[str, int]]) -> str:
    return hashlib.sha256(repr(looks).encode()).hexdigest()[:16]
