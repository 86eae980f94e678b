"""The loop: the only place with a clock and signals. Wires the parts together and runs them until told to stop."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import sqlite3
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from agent import __version__
from agent.core.run_once import GROWING, EndOfRun, RunState, exit_code
from agent.errors import FolderUnavailable, LedgerUnavailable
from agent.folder.changes import Changes, EventsLost
from agent.folder.scanner import Scanner
from agent.folder.watched_folder import WatchedFolder
from agent.host import locks, systemd
from agent.host.clock import utc_now
from agent.ledger import reports, spend
from agent.ledger.session import LastRun, begin, data_version
from agent.ledger.store import Ledger, connect, iso
from agent.ledger.writer import LedgerWriter
from agent.model.units import UnitKey
from agent.noticing.messages import Changed, Finished, Item, LedgerChanged
from agent.noticing.rounds import Rounds
from agent.publishing import namer
from agent.reading.start import reading
from agent.service.assembly import collecting, folders_of, publisher_of, sending
from agent.settings.parts import filters_of, quiet_of, rules_of, world_of
from agent.targets.gate import Gate

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.settings.settings import Settings


log = logging.getLogger(__package__)

TICK = 1.0
"""Seconds between looks at what other processes have written: they are promised to be obeyed within two."""
HEARTBEAT_SECONDS = 20.0
TROUBLE_SECONDS = 2.0
"""Seconds between tries while the ledger or the folder cannot be used."""
STOP_SECONDS = 18.0
"""Finish what is in flight for this long; the whole stop is promised to be over in 20 s."""


class Service:
    """A running agent. `progress` is called about once a second with how it stands."""

    def __init__(
        self,
        settings: Settings,
        *,
        once: bool = False,
        progress: Callable[[reports.Counts], None] = lambda _standing: None,
    ) -> None:
        self._settings = settings
        self._once = once
        self._progress = progress
        self._notifier = systemd.Notifier(os.environ)
        self._inbox: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._inbox_first: Item = None
        self._stopping = False
        self._fed_at = 0.0

    def stop(self) -> None:
        """Have the loop end; may be called from a signal handler or another thread."""
        self._stopping = True
        self._inbox.put(None)

    def run(self) -> int:
        """Run until stopped (or, with `once`, until nothing is left to do) and return the exit code.

        Raises AlreadyRunning, LedgerError, FolderUnavailable.
        """
        with contextlib.ExitStack() as stack:
            self._start(stack)
            self._notifier.ready()
            log.info("playment-agent %s watches %s (%s)", __version__, self._settings.watch_dir, self._watch.mode)
            try:
                return self._loop()
            finally:
                log.info("stopping")
                self._stopping = True
                self._notifier.stopping()

    # Start

    def _start(self, stack: contextlib.ExitStack) -> None:
        """Take the locks, open the ledger, and start the threads; the stack ends them in the opposite order."""
        settings = self._settings
        self._scanner = Scanner(settings.watch_dir, filters_of(settings))
        self._folders = folders_of(settings, self._scanner)
        self._publisher = publisher_of(settings, self._scanner)
        if self._publisher.caution:
            log.warning("%s", self._publisher.caution)
        stack.enter_context(locks.lock_file(settings.lock_path))
        self._watch = WatchedFolder(
            settings.watch_dir,
            settings.watch_mode,
            poll_seconds=settings.watch_poll_seconds,
            rescan_seconds=settings.watch_rescan_seconds,
            scanner=self._scanner,
            notice=self._inbox.put,
        )
        stack.callback(self._watch.close)
        ledger = Ledger(settings.ledger_path, utc_now)
        stack.callback(ledger.close)
        ledger.bind(world_of(settings))
        self._ledger = LedgerWriter(ledger)
        stack.callback(self._ledger.close)
        stack.callback(lambda: self._ledger.submit(lambda ledger: ledger.record(None, "stopped")))
        before = self._ledger.call(self._sign_in)
        self._gate = Gate(time.monotonic, settings.submit_jobs_per_minute, self._tell_hold)
        self._gate.pause(paused=before.paused)
        self._gate.hold(before.held_for)
        readers = stack.enter_context(reading(self._scanner, settings.sequence_gaps, self._go_on_reading))
        if not self._once:
            stack.enter_context(collecting(settings, self._ledger, self._gate))
        self._submitter = stack.enter_context(
            sending(
                settings,
                self._ledger,
                self._gate,
                scanner=self._scanner,
                publisher=self._publisher,
                folders=self._folders,
                monotonic=time.monotonic,
                on_changed=lambda path, kind: self._inbox.put(Changed(UnitKey(path, kind))),
                fingerprint=readers.fingerprint,
            )
        )
        stack.callback(self._stop_sending)
        self._reads = stack.enter_context(contextlib.closing(connect(settings.ledger_path, read_only=True)))
        self._watch.start()
        self._rounds = Rounds(
            self._scanner,
            self._folders,
            self._watch,
            filters=filters_of(settings),
            quiet=quiet_of(settings),
            rules=rules_of(settings),
            ledger=self._ledger,
            reads=self._reads,
            readers=readers,
            post=self._inbox.put,
            fed=self._feed,
            wall=time.time,
            monotonic=time.monotonic,
            cpu=time.thread_time,
            trusted=before.identity in ("", self._watch.identity),
            name=namer(self._publisher),
        )

    def _go_on_reading(self) -> None:
        if self._stopping:
            raise FolderUnavailable("not read: the agent is stopping")

    def _stop_sending(self) -> None:
        self._notifier.status("stopping: finishing what is in flight")
        if not self._submitter.close(STOP_SECONDS):
            log.warning("some answers did not come within %d s: looked into at the next start", STOP_SECONDS)

    def _sign_in(self, ledger: Ledger) -> LastRun:
        before = begin(ledger, self._watch.identity)
        self._data_version = data_version(ledger)
        return before

    def _tell_hold(self, seconds: float) -> None:
        self._ledger.submit(lambda ledger: ledger.put(held_until=iso(ledger.now + timedelta(seconds=seconds))))

    # The loop

    def _loop(self) -> int:
        beat_at = tick_at = 0.0
        once = EndOfRun(time.monotonic())
        while not self._stopping:
            now = time.monotonic()
            try:
                next_at = self._turn(now)
                if now >= tick_at:
                    tick_at = now + TICK
                    self._tell()
                    code = self._is_over(once, now) if self._once else None
                    if code is not None:
                        return code
            except (LedgerUnavailable, FolderUnavailable, sqlite3.Error, OSError) as error:
                log.error("%s; going on in %d s", error, TROUBLE_SECONDS)  # noqa: TRY400 (a sentence, no defect)
                next_at = tick_at = now + TROUBLE_SECONDS
            if now >= beat_at:
                beat_at = now + HEARTBEAT_SECONDS
                self._ledger.submit(lambda ledger: ledger.put(heartbeat_at=iso(ledger.now)))
            self._feed()
            wait = min(next_at, tick_at) - time.monotonic()
            if wait > 0:
                with contextlib.suppress(queue.Empty):
                    self._inbox_first = self._inbox.get(timeout=wait)
        return 0

    def _turn(self, now: float) -> float:
        """Take in what came, and look; return when to look again."""
        first, self._inbox_first = self._inbox_first, None
        self._take_inbox(first, now)
        return self._rounds.look(now)

    def _tell(self) -> None:
        """Say how it stands, and ask what other processes have written."""
        self._ledger.submit(self._check_for_orders)
        stands = reports.standing(self._reads)
        told = f"BLOCKED: {self._gate.blocked}" if self._gate.blocked else str(stands)
        self._notifier.status(f"{told}; {self._watch.trouble}" if self._watch.trouble else told)
        self._progress(stands)

    def _take_inbox(self, first: Item, now: float) -> None:
        """Do what the inbox asks for; events are taken together, so that a burst costs one listing."""
        noticed: list[Changes] = []
        lost = False
        item = first
        with contextlib.suppress(queue.Empty):
            while True:
                match item:
                    case Changes():
                        noticed.append(item)
                    case EventsLost():
                        lost = True
                    case Finished():
                        self._rounds.detector.finished(item, now)
                        self._submitter.wake()
                    case Changed(unit):
                        self._rounds.detector.look(unit, now)
                    case LedgerChanged(paused):
                        self._gate.pause(paused=paused)
                        self._rounds.detector.look_at_settling(now)
                        self._submitter.wake()
                    case None:
                        pass
                item = self._inbox.get_nowait()
        if lost:
            self._rounds.lost(now)
        if noticed:
            self._rounds.detector.noticed(noticed, now)

    # Orders, and the end of `run --once`

    def _check_for_orders(self, ledger: Ledger) -> None:
        """Notice what another process has written (in the ledger's thread, whose own writes do not count)."""
        version = data_version(ledger)
        if version != self._data_version:
            self._data_version = version
            self._inbox.put(LedgerChanged(bool(ledger.get("paused"))))

    def _moment(self, now: float) -> RunState:
        settle = self._rounds.intake.settle
        return RunState(
            jobs=reports.standing(self._reads).jobs,
            settling=len(settle),
            growing=len(settle.growing(now, GROWING)),
            unlisted=self._rounds.detector.unavailable,
            busy=self._rounds.is_busy or not self._inbox.empty(),
            in_flight=self._submitter.in_flight(),
            put_off=spend.put_off(self._reads, utc_now()),
            shut=self._gate.is_shut,
            blocked=bool(self._gate.blocked),
        )

    def _is_over(self, once: EndOfRun, now: float) -> int | None:
        """Return the exit code of `run --once` where it is over; what was just handed to the ledger counts."""
        if once.is_over(self._moment(now), now):
            self._ledger.call(lambda _ledger: None)
            moment = self._moment(now)
            if once.is_over(moment, now):
                return exit_code(moment)
        return None

    def _feed(self) -> None:
        """Feed systemd's watchdog: by finished turns and listed folders, never by a timer."""
        now = time.monotonic()
        if now - self._fed_at >= 1.0:
            self._fed_at = now
            self._notifier.watchdog()
