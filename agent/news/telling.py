"""Tells the news, in a thread of its own: whatever a notifier does, no job and no folder waits for it."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from agent.core.unset_clock import is_unset
from agent.errors import LedgerUnavailable
from agent.host.workers import DEFECT
from agent.ledger import news as notes
from agent.ledger.store import iso
from agent.news import troubles, words
from agent.news.kept import Kept
from agent.news.pace import STEADY, Pace, begun_on, day_to_sum
from agent.news.words import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.ledger.news import NewsReads
    from agent.ledger.writer import LedgerWriter
    from agent.news.notifier import Notifier
    from agent.news.words import Sender

log = logging.getLogger(__package__)

TICK = 5.0
"""Seconds between looks at what is new."""
END_SECONDS = 1.0
"""How long a stop waits for what is being told; it is told again then, and said so."""
DAY = timedelta(days=1)


class _Sight(NamedTuple):
    """What there is: troubles that are new, over, and all; since when the oldest of it waits; the day to be summed."""

    here: Mapping[str, str]
    begun: Mapping[str, str]
    ended: Mapping[str, str]
    waited: float | None
    day: str


class News:
    """Tells what is new, from `start` until `close`. All else is its thread's, but `begin`.

    `summary_at` is the hour and minute of the daily summary, None for none; `now` gives the time in UTC.
    """

    def __init__(
        self,
        ledger: LedgerWriter,
        reads: NewsReads,
        notifier: Notifier,
        *,
        sender: Sender,
        summary_at: tuple[int, int] | None,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._reads = reads
        self._notifier = notifier
        self._sender = sender
        self._summary_at = summary_at
        self._now = now
        self._monotonic = monotonic
        self._stopping = threading.Event()
        self._kept: Kept
        self._pace: Pace
        self._seen: set[str] = set()
        self._here_at: dict[str, float] = {}
        self._began_at = 0.0
        self._trouble = ""
        self._is_logged = False
        self._is_repeated = self._is_unwritten = False
        self._thread = threading.Thread(target=self._run, name="news", daemon=True)

    def start(self) -> None:
        """Begin to look. Raises LedgerUnavailable."""
        self.begin()
        self._thread.start()

    def close(self) -> None:
        """End, within END_SECONDS; what is not told yet is told after the next start."""
        self._stopping.set()
        self._notifier.stop()
        self._thread.join(END_SECONDS)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.turn()
            except LedgerUnavailable as error:
                log.debug("no news for now: %s", error)  # who writes it has said so, and it is one of the news
            except Exception:  # the thread must outlive a defect
                log.exception(DEFECT)
            self._stopping.wait(TICK)

    def turn(self) -> None:
        """Look what is new, and tell what is to be told. Raises LedgerUnavailable."""
        if self._is_unwritten:
            self._write()
        sight = self._look()
        if sight.waited is None and not sight.day:
            self._forget()
        is_gathered = self._pace.is_gathered(sight.waited, self._monotonic())
        if not (is_gathered or sight.day) or not self._pace.is_free(self._monotonic()):
            return
        message, then = self._compose(sight, is_gathered=is_gathered)
        if message:
            self._tell(message, then, all_new=is_gathered)
        elif then != self._kept:
            self._keep(then)

    def begin(self) -> None:
        """Take up what the last run has left; where news are new, begin with what comes now.

        To be called before anything comes. Raises LedgerUnavailable.
        """
        agent, last = self._reads.agent(), self._reads.last_event()
        kept, self._trouble = agent.get("news"), agent.get("news_trouble", "")
        self._began_at = self._monotonic()
        if kept:
            self._kept = Kept.of(kept)
            if self._kept.event > last:  # an older copy of the ledger was put back
                self._kept = replace(self._kept, event=last)
            self._is_repeated = self._kept.telling
        else:
            day = begun_on(self._summary_at, self._local()) if self._summary_at else ""
            before = self._reads.standing().attention > 0
            self._kept = Kept(last, before=before, summed_on=day, summed_at=iso(self._now()))
            self._write()
        passed = self._seconds_since(self._kept.last_at) if self._kept.last_at else None
        self._pace = Pace(self._monotonic(), passed, self._kept.failures)

    def _look(self) -> _Sight:
        agent, told = self._reads.agent(), self._kept.standing
        here = troubles.there(agent, self._reads.standing().unreadable, self._ledger.trouble, told.keys(), self._now())
        self._seen |= here.keys()
        is_scanned = agent.get("last_scan_at", "") >= agent.get("started_at", "")
        over = troubles.over(
            told.keys(), here.keys(), self._seen, is_sending=self._is_sending(told), is_scanned=is_scanned
        )
        first = self._reads.first_untold(self._kept.event)
        waits = [(self._now() - first).total_seconds()] if first else []
        begun = {key: text for key, text in here.items() if key not in told}
        self._here_at |= dict.fromkeys(here, self._monotonic())
        comes_and_goes = any(self._monotonic() - at < STEADY for key, at in self._here_at.items() if key not in told)
        waits += [0.0] if comes_and_goes or over else []
        waits += [self._monotonic() - self._began_at] if self._kept.before else []
        return _Sight(
            here, begun, {key: told[key] for key in told if key in over}, max(waits, default=None), self._day()
        )

    def _is_sending(self, told: Mapping[str, str]) -> bool:
        return bool(told) and self._reads.has_sent_since_start()

    def _day(self) -> str:
        if self._summary_at is None or is_unset(self._now()):
            return ""
        return day_to_sum(self._summary_at, self._local(), self._kept.summed_on)

    def _compose(self, sight: _Sight, *, is_gathered: bool) -> tuple[Message, Kept]:
        """Return what is to be told now, and what is to be remembered once it is."""
        message, then = Message(), self._kept
        at = iso(self._now())
        if is_gathered:
            untold = self._reads.untold(then.event)
            new = sum(each.jobs for each in untold.kinds.values())
            before = self._reads.standing().attention - new if then.before else 0
            message = (
                words.begun(sight.begun, self._sender)
                + words.waiting(untold)
                + words.before(max(0, before))
                + words.ended(
                    {key: datetime.fromisoformat(told).astimezone() for key, told in sight.ended.items()}, self._sender
                )
            )
            standing = {key: since for key, since in then.standing.items() if key not in sight.ended}
            standing |= dict.fromkeys(sight.begun, at)
            then = replace(then, event=untold.upto, before=False, standing=standing)
        if sight.day:
            since = datetime.fromisoformat(then.summed_at) if then.summed_at else self._now() - DAY
            since = min(since, self._now())
            span, counts = self._reads.span(since), self._reads.standing()
            message += words.summary(span, since.astimezone(), counts, sight.here, self._sender)
            then = replace(then, summed_on=sight.day, summed_at=at)
        return message, then

    def _tell(self, message: Message, then: Kept, *, all_new: bool) -> None:
        """Tell a message: that it is about to be is written before, and that it is told after.

        So a kill between the two loses none; one kill may have one message told twice, which then says so.
        """
        number = self._kept.number + 1
        told = words.as_json(message, self._sender, number, self._local(), repeated=self._is_repeated)
        self._keep(replace(self._kept, telling=True, last_at=iso(self._now())))
        outcome = self._notifier.tell(told)
        if self._stopping.is_set() and not outcome.told:
            return  # whether it was is not known: `telling` stays
        at = iso(self._now())
        if outcome.told:
            self._trouble = f"news are not told to all: {outcome.why}" if outcome.why else ""
            self._keep(replace(then, number=number, telling=False, last_at=at, failures=0))
            self._pace.told(self._monotonic(), all_new=all_new)
        else:
            self._trouble = f"news are not told: {outcome.why}"
            failures = self._kept.failures + 1
            self._keep(replace(self._kept, telling=outcome.unknown, last_at=at, failures=failures))
            self._pace.failed(self._monotonic(), failures)
        self._is_repeated = self._kept.telling
        self._say(f"news were told, number {number:,}")

    def _forget(self) -> None:
        """Forget a try that failed, or whose outcome is not known, where what it was to tell is over."""
        if self._kept.failures or self._kept.telling:
            self._trouble, self._is_logged, self._is_repeated = "", False, False
            self._keep(replace(self._kept, telling=False, failures=0))

    def _say(self, told: str) -> None:
        """Tell the log once that news cannot be told, and once that they can again."""
        was_logged, self._is_logged = self._is_logged, bool(self._trouble)
        if self._trouble:
            log.log(logging.DEBUG if was_logged else logging.WARNING, "%s", self._trouble)
        elif was_logged:
            log.warning("%s: news are told again", told)
        else:
            log.info("%s", told)

    def _keep(self, kept: Kept) -> None:
        """Remember, at once here, and in the ledger as soon as it can be written."""
        self._kept = kept
        self._write()

    def _write(self) -> None:
        try:
            self._ledger.call(partial(notes.keep, text=self._kept.text(), trouble=self._trouble))
            self._is_unwritten = False
        except LedgerUnavailable:
            self._is_unwritten = True  # the next turn tries again, and nothing is told twice meanwhile

    def _local(self) -> datetime:
        return self._now().astimezone()

    def _seconds_since(self, at: str) -> float:
        return (self._now() - datetime.fromisoformat(at)).total_seconds()
