"""The year: a day after the other, with its drops and its troubles, and what is left at the end.

A day takes about a second. The agent's clock goes on by a day at once, so that whatever waits for a time is due; its
monotonic clock stays real, so that what it waits for by seconds is waited for.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.faults.test_clocks import faked, set_clock
from tests.integration.test_upgrade import lay_out, restore
from tests.support import KEY, environ
from tests.year import judging
from tests.year.calendar import OUTAGES, RESTARTS, Trouble, schedule
from tests.year.judging import Month
from tests.year.people import People
from tests.year.process import AgentProcess
from tests.year.server import TroubledPlayment
from tests.year.troubles import DAY, MADE, WHILE_WORKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tests.year.calendar import Begin

DAY_SECONDS = 1.3
"""So long a day lasts where its drops are not paid for sooner."""
FIRST_JOB_SECONDS = 0.8
EVEN_SECONDS = 20.0
"""So long a month's end is waited for, that all of it is paid for."""
END_SECONDS = 150.0
OPEN = "select path, state, reason from jobs where state in ('settling', 'pending', 'submitting')"


@dataclass(slots=True)
class Year:
    """What a year has shown."""

    seed: int
    months: list[Month] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Life:
    """A year in a place: `disk` is a small disk of its own for the ledger, `months` say how many days each has.

    `tell` is called with every month that is over. All that a trouble needs is here.
    """

    server: TroubledPlayment
    people: People
    agent: AgentProcess

    def __init__(
        self, place: Path, disk: Path, months: Sequence[int], seed: int, tell: Callable[[Month], None]
    ) -> None:
        self.rng = random.Random(seed)
        self.disk = disk
        self.day = 0
        self.month = 1
        self.wal_mib: dict[str, float] = {}
        self.key_file = place / "key"
        self.server = TroubledPlayment()
        self._place = place
        self._months = months
        self._begins = schedule(months, self.rng)
        self._lasting: list[tuple[int, contextlib.ExitStack]] = []
        self._happened: Counter[Trouble] = Counter()
        self._clock = place / "clock"
        self._tell = tell
        self._year = Year(seed)
        self.people = People(place / "inbox", 20 if len(months) > 1 else 3, self.rng)

    def live(self) -> Year:
        """Live it, and return what it has shown. Raises `Ended` where the agent does so by itself."""
        began = time.monotonic()
        with self.server, contextlib.ExitStack() as stack:
            self._begin()
            stack.callback(self._end_all)
            self.agent = stack.enter_context(AgentProcess(self._place, self.disk / "ledger.db", self._environ()))
            for days in self._months:
                self._live_month(days)
            self._come_to_rest()
            self.agent.stop()
        self._judge()
        self._year.seconds = time.monotonic() - began
        return self._year

    def _begin(self) -> None:
        """Lay out what 0.1.0 has left: its ledger and the files that it knew."""
        lay_out(self._place)
        restore(self._place, self.server.url)
        shutil.move(self._place / "ledger.db", self.disk / "ledger.db")
        (self.disk / "ledger.db").chmod(0o600)
        self.key_file.write_text(KEY)
        self.key_file.chmod(0o600)
        self.set_clock(0)

    def _environ(self) -> dict[str, str]:
        chosen = environ(
            self._place,
            self.server.url,
            **faked(self._clock),
            PLAYMENT_API_KEY_FILE=str(self.key_file),
            PLAYMENT_BATCH="day",
            WATCH_RESCAN_SECONDS="10",
            SEQUENCE_SETTLE_SECONDS="0.4",
            SEQUENCE_GAPS="hold",
            IMAGE_FOLDERS="stills",
            LEDGER_PATH=str(self.disk / "ledger.db"),
            LEDGER_KEEP_EVENTS_DAYS="90",
        )
        del chosen["PLAYMENT_API_KEY"]
        return chosen

    # What a trouble needs

    def set_clock(self, seconds: int) -> None:
        """Set the agent's clock to this day, and so many seconds beside."""
        set_clock(self._clock, self.day * DAY + seconds)

    def goes_on(self, seconds: float, until: Callable[[], object] = lambda: False) -> None:
        """Let the agent live until something has happened, for so many seconds at most."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not until():
            self.agent.tend()
            time.sleep(0.02)

    def until_first_job(self) -> None:
        """Wait for the first of the day's jobs, and a moment more."""
        before = len(self.server.receipts)
        self.goes_on(FIRST_JOB_SECONDS, until=lambda: len(self.server.receipts) > before)
        self.goes_on(self.rng.uniform(0, 0.1))

    # The days

    def _live_month(self, days: int) -> None:
        self._happened.clear()
        drops, paid = len(self.people.drops), len(self.server.jobs)
        for _ in range(days):
            self._live_day(self._begins.get(self.day, ()))
            self.day += 1
        self.goes_on(EVEN_SECONDS, until=lambda: not self._unpaid() and not self.agent.ask(OPEN))
        month = self._measured(drops, paid)
        self._year.months.append(month)
        self.wal_mib[f"at the end of month {self.month}"] = month.wal_mib
        self._tell(month)
        self.month += 1

    def _live_day(self, begins: Sequence[Begin]) -> None:
        self._end_what_is_over()
        self.set_clock(0)
        self.people.begin(self.day, self.server.paid())
        for begin in begins:
            if begin.trouble not in WHILE_WORKING:
                self._start(begin)
        self.people.work()
        for begin in begins:
            if begin.trouble in WHILE_WORKING:
                self._start(begin)
        self.goes_on(DAY_SECONDS, until=lambda: not self._unpaid())

    def _unpaid(self) -> object:
        return self.people.wait_for(self.server.paid())

    def _start(self, begin: Begin) -> None:
        self._happened[begin.trouble] += 1
        with contextlib.ExitStack() as stack:
            stack.enter_context(MADE[begin.trouble](self))
            self._lasting.append((begin.until, stack.pop_all()))

    def _end_what_is_over(self) -> None:
        over = [stack for until, stack in self._lasting if until <= self.day]
        self._lasting = [(until, stack) for until, stack in self._lasting if until > self.day]
        for stack in over:
            stack.close()

    def _end_all(self) -> None:
        """Let nothing last that could keep the server from ending; the agent may have ended."""
        for _, stack in self._lasting:
            with contextlib.suppress(Exception):
                stack.close()

    def _measured(self, drops: int, paid: int) -> Month:
        """Take the figures of a month, before which so many drops and jobs were there."""
        (size,) = self.agent.ask(
            "select page_count * page_size / (select count(*) from jobs) as bytes "
            "from pragma_page_count, pragma_page_size"
        )
        return Month(
            drops=sum(drop.least for drop in self.people.drops[drops:]),
            paid=len(self.server.jobs) - paid,
            outages=sum(self._happened[trouble] for trouble in OUTAGES),
            restarts=sum(self._happened[trouble] for trouble in RESTARTS),
            kills=self._happened[Trouble.KILL],
            rss_mib=self.agent.memory_mib(),
            open_files=self.agent.open_files(),
            wal_mib=self.agent.wal_mib(),
            bytes_a_job=float(size["bytes"]),
            log_lines=self.agent.new_log_lines(),
        )

    # The end

    def _come_to_rest(self) -> None:
        """Wait until all is paid for and at an end; a day goes by every few seconds, for what waits for a time."""
        deadline = time.monotonic() + END_SECONDS
        self._end_what_is_over()
        while time.monotonic() < deadline and not self._rests():
            self.day += 1
            self.set_clock(0)
            self.goes_on(3.0, until=self._rests)

    def _rests(self) -> bool:
        return not any(judging.exactly_once(self.people.drops, self.server.paid())) and not self.agent.ask(OPEN)

    def _judge(self) -> None:
        rows = self.agent.ask("select path, state, reason, reference_id, job_id from jobs")
        jobs: Mapping[str, str] = {job.reference_id: job.job_id for job in self.server.jobs}
        (whole,) = self.agent.ask("pragma integrity_check")
        self._year.problems += [
            *judging.exactly_once(self.people.drops, self.server.paid(), rows),
            *judging.all_ended(rows),
            *judging.all_known(rows, jobs),
            *judging.bounded(self.wal_mib),
            *judging.flat(self._year.months),
            *([] if whole["integrity_check"] == "ok" else [f"the ledger is spoilt: {whole['integrity_check']}"]),
            *(f"a defect: {line}" for line in self.agent.defects()),
        ]
