"""This host's part in a fleet: gives signs of life, tells of its jobs, obeys what holds for all, and asks for grants.

The ledger stays the truth for this host. While the fleet's database is away nothing new is sent, and all else goes on;
when it is back, and knows all that happened here, sending goes on. One that is another, or was brought back from a
backup, is told of all jobs first.
"""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import TYPE_CHECKING

from agent import __version__
from agent.core.retry import FLEET, LEDGER
from agent.core.spend_guard import Spent, ask, day_of, is_used_up
from agent.errors import FleetRefused, FleetUnavailable, LedgerUnavailable
from agent.fleet.records import Beat, Memory, Mirrored
from agent.host.workers import DEFECT, Workers
from agent.ledger import fleet as notes
from agent.ledger import spend
from agent.ledger.store import iso
from agent.service.shared import Namesake, heed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from agent.core.grants import Asked, Granted
    from agent.fleet.records import Budget, Told
    from agent.host.workers import Pool
    from agent.ledger.writer import LedgerWriter
    from agent.service.shared import Fleet
    from agent.targets.gate import Gate

log = logging.getLogger(__package__)

BEAT_SECONDS = 10.0
TICK = 1.0
"""Seconds between looks for jobs of which the fleet is to be told."""
HOUR = 3600.0
LAST_TURNS = 3
"""At a stop: as many as it takes until a new database knows all from here, for which the other hosts wait."""


class Membership:
    """A `Grantor`. A thread of its own, `fleet`, beats and mirrors; `ask` is the pool's, all else may be anybody's.

    `host` is its name, `folder` what it watches, '' where nobody else does. `monotonic` gives seconds, `now` the time
    in UTC.
    """

    is_shared = True

    def __init__(
        self,
        fleet: Fleet,
        ledger: LedgerWriter,
        gate: Gate,
        *,
        host: str,
        folder: str,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._fleet = fleet
        self._ledger = ledger
        self._gate = gate
        self._host = host
        self._folder = folder
        self._now = now
        self._monotonic = monotonic
        self._lock = threading.Condition()
        self._namesake = Namesake(host)
        self._woken = self._stopping = False
        self._wake_sending: Callable[[], None] = lambda: None
        self._beat_at = 0.0
        self._away_at: float | None = None
        self._away_as: type[FleetUnavailable] | None = None
        self._since = self._theirs = self._telling = ""
        self._told_at = 0.0
        self._spent = ("", Spent())
        self._kept: dict[str, Mirrored] = {}
        self._kept_at = 0.0
        self._is_remembered = False
        self._looked_up_to = 0
        self._to_block: str | None = None
        self._to_hold = 0.0
        self.is_open = False
        self.is_met = False
        self.trouble = ""
        self.pool: Pool = Workers("grant", 1)
        self._thread = threading.Thread(target=self._run, name="fleet", daemon=True)
        gate.share(self._holds)

    # For those who send

    @property
    def spent(self) -> str:
        """Why no job at all may be sent today, or ''."""
        limits, (day, spent) = self._fleet.budget.limits, self._spent
        used_up = day == day_of(self._now()) and is_used_up(limits, spent)
        return ask(limits, spent, 1)[1] if used_up else ""

    def ask(self, asked: Sequence[Asked]) -> list[Granted]:
        """Return a verdict for each. Raises FleetUnavailable."""
        return self._fleet.ask(asked)

    def failed(self, error: FleetUnavailable) -> None:
        """Take note that the database is away: it is asked again before anything is sent."""
        self._namesake.lost()
        with self._lock:
            self.is_open = False
            self._beat_at = 0.0
            now, kind = self._monotonic(), type(error)
            if self._away_at is None:
                self._away_at, self._since = now, iso(self._now())
            elif kind is self._away_as and now - self._told_at < HOUR:
                return
            self._told_at, self._away_as = now, kind
            refuses = isinstance(error, FleetRefused)
            how = "refuses this host" if refuses else "not reachable"
            text = self.trouble = f"fleet database {how} since {self._since}: {error}"
        log.warning("nothing new is sent: %s", text)
        self._ledger.submit(partial(notes.away, text=text, since=self._since, refuses=refuses))
        self._wake()

    def is_shut(self) -> None:
        """Take note that the whole fleet is blocked or paused: it is asked why."""
        self._beat_at = 0.0
        self._wake()

    def blocks(self, reason: str) -> None:
        """Have all hosts know that the target refuses this one, or with '' that it does not any more."""
        self._to_block = f"{self._host}: {reason}" if reason else ""
        self._theirs = ""
        self._wake()

    def limit(self, budget: Budget) -> None:
        """Have these be what this host asks for from now on, also for what was put off by other limits."""
        if budget != self._fleet.budget:
            self._fleet.budget = budget
            self._ledger.submit(spend.reconsider).add_done_callback(lambda _done: self._wake_sending())

    def start(self, wake: Callable[[], None]) -> None:
        """Give signs of life; `wake` is called where sending may go on."""
        self._wake_sending = wake
        self._thread.start()

    def close(self, seconds: float) -> None:
        """Tell what is left to be told, within `seconds`, and end."""
        self._stopping = True
        self._wake()
        self._thread.join(seconds)

    # The thread

    def _run(self) -> None:
        while not self._stopping:
            wait = self._safely()
            with self._lock:
                if not self._woken:
                    self._lock.wait(wait)
                self._woken = False
        if self.is_met and not self.trouble:
            self._beat_at = 0.0
            for _ in range(LAST_TURNS):
                self._safely()
        self._fleet.close()

    def _safely(self) -> float:
        try:
            return self.turn()
        except FleetUnavailable as error:
            self.failed(error)
            return FLEET.seconds()
        except LedgerUnavailable:
            return LEDGER.seconds()  # whoever writes it has said so
        except Exception:  # the thread must outlive a defect, or nothing would be sent any more
            log.exception(DEFECT)
            return LEDGER.seconds()

    def turn(self) -> float:
        """Tell and be told; return after how many seconds to do so again.

        Raises FleetUnavailable, LedgerUnavailable.
        """
        if not self._is_remembered:
            self._fleet.remember(Memory(*self._ledger.call(notes.memory)))
            self._is_remembered = True
        if self._monotonic() >= self._beat_at:
            beat_at = self._monotonic() + BEAT_SECONDS
            jobs = self._ledger.call(notes.stands)
            self._obey(self._fleet.beat(Beat(__version__, jobs, self._folder)))
            self._beat_at = beat_at
            self._take_over()
        self._tell_others()
        if not self._is_all_told():
            return 0.0
        if self._telling:
            self._fleet.trust(self._telling)
            self._ledger.call(partial(notes.trusts, database=self._telling))
            self._telling, self._beat_at = "", 0.0
            return 0.0
        if not self.is_open and self._beat_at:
            self._fleet.ask([])  # a beat waits for no lock: it may be answered where no grant is
            self._opens()
        return TICK

    def _take_over(self) -> None:
        """Look whether others have sent some of what waits for another day, so many at each sign of life."""
        rows = self._ledger.call(partial(notes.put_off, after=self._looked_up_to))
        self._looked_up_to = rows[-1][0] if len(rows) == notes.TOGETHER else 0
        if rows and (sent := self._fleet.jobs([each for _, each in rows])):
            self._ledger.call(lambda ledger: [notes.sent_elsewhere(ledger, *each) for each in sent.items()])

    def _tell_others(self) -> None:
        if self._kept and self._beat_at > self._kept_at:
            self._kept_at = self._beat_at
            kept = self._fleet.mirror(list(self._kept.values()))
            self._kept = {reference_id: self._kept[reference_id] for reference_id in kept}
        if self._to_block is not None:
            reason = self._to_block
            self._fleet.block(reason)
            if self._to_block == reason:
                self._to_block = None
        if self._to_hold:
            seconds, self._to_hold = self._to_hold - self._monotonic(), 0.0
            if seconds > 0:
                self._fleet.hold(seconds)

    def _is_all_told(self) -> bool:
        """Tell of the next jobs; return whether no more are left."""
        untold = self._ledger.call(notes.untold)
        jobs = {job.reference_id: Mirrored(*job) for job in untold.jobs}
        if jobs:
            kept = self._fleet.mirror(list(jobs.values()))
            self._kept |= {reference_id: jobs[reference_id] for reference_id in kept}
        if untold.mark:
            self._ledger.call(lambda ledger: ledger.put(**untold.mark))
        return untold.is_all

    def _opens(self) -> None:
        """Have sending go on: the database answers, and knows all that happened here."""
        with self._lock:
            since, self._away_at, self.trouble = self._away_at, None, ""
            self.is_open = True
        if since is not None:
            text = f"the fleet's database is back, after {self._monotonic() - since:,.0f} s: sending goes on"
            log.warning("%s", text)
            self._ledger.submit(partial(notes.back, text=text))
        self._wake_sending()

    # What holds for all

    def _obey(self, told: Told) -> None:
        limits, (_, before) = self._fleet.budget.limits, self._spent
        self._namesake.see(told.memory.number)
        spent = Spent(told.jobs, told.frames)
        self._spent = (day_of(self._now()), spent)
        if told.must_mirror:
            self.is_open = False
        reconsider = is_used_up(limits, before) and not is_used_up(limits, spent)
        is_paused = self._ledger.call(partial(heed, told=told, reconsider=reconsider))
        self._telling = told.memory.database if told.must_mirror else ""
        self._gate.pause(paused=is_paused)
        self._gate.is_held(told.held)
        if told.blocked and not self._gate.blocked and self._to_block is None:
            self._theirs = f"the fleet is blocked: {told.blocked}"
            log.error("sending is stopped, nothing is lost: %s", self._theirs)
            self._block(self._theirs)
        elif not told.blocked and self._theirs and self._gate.blocked == self._theirs:
            log.warning("the fleet is not blocked any more: sending goes on")
            self._block("")
            self._theirs = ""
        self.is_met = True
        self._wake_sending()

    def _block(self, reason: str) -> None:
        self._gate.block(reason)
        self._ledger.submit(lambda ledger: ledger.put(blocked=reason))

    def _holds(self, seconds: float) -> None:
        self._to_hold = max(self._to_hold, self._monotonic() + seconds)
        self._wake()

    def _wake(self) -> None:
        with self._lock:
            self._woken = True
            self._lock.notify_all()
