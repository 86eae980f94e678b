"""Keeps detection going: when to sweep, when to scan all, and what to do when the watch folder goes and comes back."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from agent.core.inodes import INODES_CHANGE
from agent.core.retry import WATCH_FOLDER
from agent.core.run_once import GROWING
from agent.folder.watched_folder import FolderPresence
from agent.ledger import session
from agent.ledger.store import iso

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agent.core.whereabouts import Whereabouts
    from agent.folder.changes import Changes
    from agent.folder.watched_folder import WatchedFolder
    from agent.ledger.writer import LedgerWriter
    from agent.model import UnitKey
    from agent.noticing.messages import Finished, NotWritten
    from agent.noticing.start import Noticing

log = logging.getLogger(__package__)

SWEEP_SECONDS = WATCH_FOLDER.seconds()
SWEEP_SHARE = 125
"""A sweep takes at most one in so many seconds, so that all of the agent takes less than one in 100 (measured)."""


TURN_SECONDS = 28.0
"""Within so many seconds, and a sweep, each folder has had its turn where events tell of changes: what they miss shows
then. With 10,000 folders, to look at all in every sweep took 0.7 % of a core, and takes 0.1."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How noticing stands: units that `settling` waits for, those of them that still grow, folders that are `unlisted`.

    `busy` tells of a scan that is not over, and of units that are being read or written.
    """

    settling: int
    growing: int
    unlisted: int
    busy: bool


class Rounds:
    """Keeps noticing going, and takes what other threads tell of it. All methods are the loop's thread's.

    `begin` makes all that notices afresh, for a folder that is `trusted` to be the one of before, `home`, or not. Times
    are monotonic seconds.
    """

    def __init__(
        self,
        watch: WatchedFolder,
        ledger: LedgerWriter,
        begin: Callable[[bool], Noticing],
        *,
        monotonic: Callable[[], float],
        home: Whereabouts,
        trusted: bool,
    ) -> None:
        self._watch = watch
        self._ledger = ledger
        self._make = begin
        self._monotonic = monotonic
        self._noticing: Noticing
        self._home = home
        self._was_elsewhere = not trusted
        self._is_trusted = trusted
        self._told_inodes = not watch.inodes_last
        self._scanned = self._away = False
        self._told_unlisted = (0.0, "")
        self._rescan_at = self._sweep_at = 0.0
        self._swept_at = -math.inf
        self._begin(trusted=trusted)

    def standing(self, now: float) -> Standing:
        """Return how noticing stands now."""
        rest = self._noticing.rest
        return Standing(
            settling=len(rest.waiting),
            growing=self._noticing.intake.growing(now, GROWING),
            unlisted=len(self._noticing.detector.unavailable),
            busy=not self._scanned or bool(rest.reading) or self._noticing.book.is_behind,
        )

    @property
    def unlisted(self) -> str:
        """Which folders cannot be listed, as a sentence, '' where all can."""
        folders = self._noticing.detector.unavailable
        first = next(iter(folders.values()), None)
        if first is None:
            return ""
        if len(folders) == 1:
            return f"{first.reason}; what is in it is not known, and goes on by itself"
        return f"{len(folders):,} folders cannot be listed, what is in them is not known ({first.reason})"

    def finished(self, outcome: Finished, now: float) -> None:
        """Take note that a unit was read and written."""
        self._noticing.detector.finished(outcome, now)

    def not_written(self, message: NotWritten) -> None:
        """Take back what the ledger could not take."""
        self._noticing.book.put_back(message)

    def changed(self, unit: UnitKey, now: float) -> None:
        """Look at a unit that somebody says has changed."""
        self._noticing.detector.changed(unit, now)

    def ledger_changed(self, now: float) -> None:
        """Look at what another process may have set to be read again."""
        self._noticing.detector.look_at_settling(now)

    def noticed(self, events: Iterable[Changes], now: float) -> None:
        """Look at the paths of events."""
        self._noticing.detector.noticed(events, now)

    def lost(self, now: float) -> None:
        """Look at everything: events were lost."""
        self._watch.lost()
        self._rescan_at = now

    def look(self, now: float) -> float:
        """Sweep, rescan and take a turn of detection; return when to look again."""
        to_sweep = now >= self._sweep_at
        if to_sweep:
            presence = self._watch.look()
            self._away = presence is FolderPresence.AWAY
            if presence is not FolderPresence.SAME:
                self._noticing.detector.close()
                self._was_elsewhere |= self._watch.whereabouts.place != self._home.place
            if presence in (FolderPresence.BACK, FolderPresence.OTHER):
                here = self._watch.whereabouts
                self._begin(trusted=here.is_back(self._home, was_elsewhere=self._was_elsewhere))
            self._sweep_at = now + SWEEP_SECONDS
        if self._away:
            return self._sweep_at
        if now >= self._rescan_at:
            self._rescan_at = now + self._watch.rescan_seconds
            self._scanned = False
            self._noticing.detector.rescan(now)
        elif to_sweep:
            self._watch.check_growth(self._noticing.detector.folders)
            self._rescan_at = min(self._rescan_at, now + self._watch.rescan_seconds)
            self._noticing.detector.sweep(now, self._part(now))
            self._noticing.inodes.look()
            self._noticing.intake.prepare(now)
            self._sweep_at = now + max(SWEEP_SECONDS, SWEEP_SHARE * (self._monotonic() - now))
        next_at = self._noticing.detector.turn(now)
        self._settle_in()
        if to_sweep:
            self._tell_unlisted(now)
        if not self._scanned and not self._noticing.detector.is_scanning(now):
            self._scanned = True
            if self._noticing.lister.scanned():
                next_at = now
            self._watch.check_limits(self._noticing.detector.folders)
            others = str(sum(self._noticing.lister.others.values()))
            self._ledger.submit(
                lambda ledger: ledger.put(last_scan_at=iso(ledger.now), watch_mode=self._watch.mode, other_files=others)
            )
        return min(next_at, self._sweep_at, self._rescan_at)

    def _part(self, now: float) -> float:
        """Return which part of all folders a sweep looks at: all of them where nobody tells of changes."""
        since, self._swept_at = now - self._swept_at, now
        return since / TURN_SECONDS if self._watch.is_told else 1.0

    def _begin(self, *, trusted: bool) -> None:
        """Begin detection afresh; where not `trusted`, only what it has seen itself can be found deleted."""
        self._noticing = self._make(trusted)
        self._is_trusted = trusted
        self._scanned = False
        self._away = False
        self._rescan_at = self._sweep_at = -math.inf  # in this very look: before that, nothing was scanned
        self._ledger.submit(lambda ledger: ledger.put(watch_mode=self._watch.mode))
        if trusted:
            self._is_home(self._watch.whereabouts)

    def _tell_unlisted(self, now: float) -> None:
        """Write which folders cannot be listed, and since when the first of them."""
        since = min((folder.since for folder in self._noticing.detector.unavailable.values()), default=0.0)
        told = (since, self.unlisted)
        if told != self._told_unlisted:
            self._told_unlisted = told
            self._ledger.submit(partial(session.unlisted, told=told[1], seconds=now - since))

    def _settle_in(self) -> None:
        """Write what was found out about the folder: that it is used, that the inodes of its files do not last."""
        if not self._is_trusted and self._noticing.intake.has_seen:
            self._is_trusted = True  # by the next run: in this one only what it has shown can be missed
            self._is_home(self._watch.whereabouts)
        if not self._told_inodes and not self._watch.inodes_last:
            self._told_inodes = True
            log.warning("%s", INODES_CHANGE)
            self._ledger.submit(partial(session.inodes_change, here=self._watch.whereabouts))

    def _is_home(self, here: Whereabouts) -> None:
        self._home, self._was_elsewhere = here, False
        self._ledger.submit(partial(session.watches, here=here))
