"""Keeps detection going: when to sweep, when to scan all, and what to do when the watch folder goes and comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.retry import WATCH_FOLDER
from agent.folder.watched_folder import FolderPresence
from agent.ledger.store import iso
from agent.noticing.detector import Detector
from agent.noticing.intake import Intake

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from agent.core.folder_rules import FolderRulesSource
    from agent.core.names import Filters
    from agent.core.plan import IdRules
    from agent.core.quiet_times import QuietTimes
    from agent.folder.scanner import Scanner
    from agent.folder.watched_folder import WatchedFolder
    from agent.ledger.writer import LedgerWriter
    from agent.model.jobs import Namer
    from agent.noticing.messages import Finished
    from agent.reading.start import Readers

SWEEP_SECONDS = WATCH_FOLDER.seconds()
SWEEP_SHARE = 125
"""A sweep takes at most one in so many seconds, so that all of the agent takes less than one in 100 (measured)."""


class Rounds:
    """Looks when it is time to; all its methods are the loop's thread's, and times are monotonic seconds.

    `reads` is a ledger connection of that thread. `post` hands the loop what was read, from any thread; `fed` is called
    after every folder listed. `name` gives the `src` of what is to be sent, `wall` seconds since 1970, `cpu` the
    processor seconds of the calling thread.
    """

    def __init__(
        self,
        scanner: Scanner,
        folders: FolderRulesSource,
        watch: WatchedFolder,
        *,
        filters: Filters,
        quiet: QuietTimes,
        rules: IdRules,
        ledger: LedgerWriter,
        reads: sqlite3.Connection,
        readers: Readers,
        post: Callable[[Finished], None],
        fed: Callable[[], None],
        wall: Callable[[], float],
        monotonic: Callable[[], float],
        cpu: Callable[[], float],
        trusted: bool,
        name: Namer,
    ) -> None:
        self._filters = filters
        self._quiet = quiet
        self._rules = rules
        self._scanner = scanner
        self._folders = folders
        self._watch = watch
        self._ledger = ledger
        self._reads = reads
        self._readers = readers
        self._post = post
        self._fed = fed
        self._wall = wall
        self._monotonic = monotonic
        self._cpu = cpu
        self._name = name
        self.intake: Intake
        self.detector: Detector
        self._scanned = self._away = False
        self._rescan_at = self._sweep_at = 0.0
        self._begin(trusted=trusted)

    @property
    def is_busy(self) -> bool:
        """Whether a scan is not over, or units are being read or written."""
        return not self._scanned or bool(self.intake.busy) or self.intake.unwritten

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
                self.detector.close()
            if presence in (FolderPresence.BACK, FolderPresence.OTHER):
                self._begin(trusted=presence is FolderPresence.BACK)
            self._sweep_at = now + SWEEP_SECONDS
        if self._away:
            return self._sweep_at
        if now >= self._rescan_at:
            self._rescan_at = now + self._watch.rescan_seconds
            self._scanned = False
            self.detector.rescan(now)
        elif to_sweep:
            self._watch.check_growth(self.detector.folders)
            self._rescan_at = min(self._rescan_at, now + self._watch.rescan_seconds)
            self.detector.sweep(now)
            self.intake.prepare(now)
            self._sweep_at = now + max(SWEEP_SECONDS, SWEEP_SHARE * (self._monotonic() - now))
        next_at = self.detector.turn(now)
        if not self._scanned and not self.detector.is_scanning(now):
            self._scanned = True
            self._watch.check_limits(self.detector.folders)
            self._ledger.submit(lambda ledger: ledger.put(last_scan_at=iso(ledger.now), watch_mode=self._watch.mode))
        return min(next_at, self._sweep_at, self._rescan_at)

    def _begin(self, *, trusted: bool) -> None:
        """Begin detection afresh; where not `trusted`, only what it has seen itself can be found deleted."""
        self.intake = Intake(
            self._scanner,
            self._quiet,
            self._rules,
            reader=self._readers.reader,
            readers=self._readers.pools,
            ledger=self._ledger,
            post=self._post,
            wall=self._wall,
            trusted=trusted,
            name=self._name,
            prepare=self._readers.prepare,
        )
        self.detector = Detector(
            self._scanner,
            self._filters,
            self.intake,
            self._reads,
            fed=self._fed,
            wall=self._wall,
            monotonic=self._monotonic,
            cpu=self._cpu,
            absence_is_proof=self._watch.is_proof,
            cover=self._watch.cover,
            folders=self._folders,
        )
        self._scanned = False
        self._away = False
        self._rescan_at = self._sweep_at = self._monotonic()
        self._ledger.submit(
            lambda ledger: ledger.put(watch_mode=self._watch.mode, watch_dir_identity=self._watch.identity)
        )
