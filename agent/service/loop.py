"""The loop: takes in what other threads tell, looks, says how it stands, and runs until told to stop."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import time
from typing import TYPE_CHECKING

from agent import __version__
from agent.core import past
from agent.core.life import HEARTBEAT_SECONDS
from agent.core.repeats import Repeats
from agent.core.retry import ACCESS, LOOP
from agent.core.run_once import EndOfRun, RunState, exit_code
from agent.core.unset_clock import told as no_clock
from agent.errors import FolderUnavailable, LedgerUnavailable, LedgerUnreadable
from agent.folder.changes import Changes, EventsLost
from agent.host import systemd
from agent.host.clock import utc_now
from agent.ledger.session import alive
from agent.noticing.messages import Changed, Finished, Item, LedgerChanged, NotWritten
from agent.service.reload import Reload
from agent.service.start import Running, started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.settings.settings import Settings


log = logging.getLogger(__package__)

TICK = 1.0
"""Seconds between looks at what other processes have written: they are promised to be obeyed within two."""


class Service:
    """A running agent. All methods are the loop's thread's, but `stop` and `reload`.

    `progress` is called about once a second; `read` returns the settings that are there now, for a reload.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        once: bool = False,
        progress: Callable[[], None] = lambda: None,
        read: Callable[[], Settings] | None = None,
    ) -> None:
        self._settings = settings
        self._once = once
        self._progress = progress
        self._notifier = systemd.Notifier(os.environ)
        self._inbox: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._inbox_first: Item = None
        self._reload = Reload(settings, read or (lambda: settings))
        self._reloading = self._stopping = False
        self._key_at = 0.0
        self._fed_at = self._beat_at = 0.0
        self._repeats = Repeats()
        self._parts: Running

    def stop(self) -> None:
        """Have the loop end; may be called from a signal handler or another thread."""
        self._stopping = True
        self._inbox.put(None)

    def reload(self) -> None:
        """Have the loop read the settings again; may be called as `stop`."""
        self._reloading = True
        self._inbox.put(None)

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to end."""
        return self._stopping

    def run(self) -> int:
        """Run until stopped (or, with `once`, until nothing is left to do) and return the exit code.

        Raises AlreadyRunning, LedgerError, FolderUnavailable.
        """
        with started(
            self._settings,
            self._inbox.put,
            follow=self._reload.follow,
            once=self._once,
            is_stopping=lambda: self._stopping,
            tell=self._notifier.status,
            starting=self._notifier.starting,
            fed=self._feed,
        ) as self._parts:
            self._notifier.ready()
            log.info("playment-agent %s watches %s (%s)", __version__, self._settings.watch_dir, self._parts.watch.mode)
            try:
                return self._loop()
            finally:
                log.info("stopping")
                self._stopping = True
                self._notifier.stopping()

    def _loop(self) -> int:
        tick_at = 0.0
        once = EndOfRun(time.monotonic())
        while not self._stopping:
            if self._reloading:
                self._read_settings()
            now = time.monotonic()
            try:
                next_at = self._turn(now)
                if now >= tick_at:
                    tick_at = now + TICK
                    self._tell()
                    code = self._is_over(once, now) if self._once else None
                    if code is not None:
                        return code
            except (LedgerUnavailable, FolderUnavailable, OSError) as error:
                self._tell_trouble(error, now)
                next_at = tick_at = now + LOOP.seconds()
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
        return self._parts.rounds.look(now)

    def _read_settings(self) -> None:
        self._reloading = False
        self._notifier.reloading()
        self._reload.reload()
        self._notifier.ready()

    def _tell(self) -> None:
        """Say how it stands, and ask what other processes have written."""
        parts = self._parts
        parts.ledger.submit(parts.others.check)
        told = f"BLOCKED: {parts.gate.blocked}" if parts.gate.blocked else str(parts.reads.standing())
        self._notifier.status("; ".join(filter(None, (told, *self._troubles()))))
        if parts.gate.blocked and time.monotonic() >= self._key_at:
            self._key_at = time.monotonic() + ACCESS.seconds()
            self._reload.take_key()
        self._progress()

    def _troubles(self) -> Iterator[str]:
        """Yield what is in the way now, each as a part of a sentence; '' for what is not."""
        parts = self._parts
        why_paused = past.why_paused(parts.reads.agent())
        yield f"PAUSED: {why_paused}" if why_paused else ""
        yield no_clock(utc_now())
        yield from (parts.ledger.trouble, parts.submitter.trouble)
        yield from (parts.watch.trouble, parts.rounds.unlisted, self._reload.trouble)

    def _tell_trouble(self, error: Exception, now: float) -> None:
        """Say what stops the loop for now: once a minute, and not what whoever writes the ledger has said already."""
        self._notifier.status(str(error))
        is_said = isinstance(error, LedgerUnavailable) and not isinstance(error, LedgerUnreadable)
        if not is_said and self._repeats.are_due(str(error), now):
            log.error("%s; going on in %d s", error, LOOP.seconds())

    def _take_inbox(self, first: Item, now: float) -> None:
        """Do what the inbox asks for; events are taken together, so that a burst costs one listing."""
        noticed: list[Changes] = []
        lost = False
        item = first
        with contextlib.suppress(queue.Empty):
            while True:
                if isinstance(item, Changes):
                    noticed.append(item)
                elif isinstance(item, EventsLost):
                    lost = True
                else:
                    self._take(item, now)
                item = self._inbox.get_nowait()
        if lost:
            self._parts.rounds.lost(now)
        if noticed:
            self._parts.rounds.noticed(noticed, now)

    def _take(self, item: Finished | NotWritten | Changed | LedgerChanged | None, now: float) -> None:
        parts = self._parts
        match item:
            case Finished():
                parts.rounds.finished(item, now)
                parts.submitter.wake()
            case NotWritten():
                parts.rounds.not_written(item)
            case Changed(unit):
                parts.rounds.changed(unit, now)
            case LedgerChanged():
                self._heed_pause()
                parts.rounds.ledger_changed(now)
                parts.submitter.wake()
            case None:
                pass

    def _heed_pause(self) -> None:
        """Shut or open the gate as the ledger says: asked again, since the ledger's thread may do so meanwhile."""
        said = None
        while said != (now := bool(past.why_paused(self._parts.reads.agent()))):
            said = now
            self._parts.gate.pause(paused=now)

    # The end of `run --once`

    def _state(self, now: float) -> RunState:
        parts, noticing = self._parts, self._parts.rounds.standing(now)
        look_at = parts.reads.next_due((), lookup=True)
        return RunState(
            jobs=parts.reads.standing().jobs,
            settling=noticing.settling,
            growing=noticing.growing,
            unlisted=noticing.unlisted,
            busy=noticing.busy or not self._inbox.empty(),
            in_flight=parts.submitter.in_flight(),
            put_off=parts.reads.put_off(utc_now()),
            shut=parts.gate.is_shut,
            blocked=bool(parts.gate.blocked),
            asking=parts.submitter.is_past_unknown and not no_clock(utc_now()),
            looking=look_at is not None and look_at <= utc_now(),
            asks=bool(parts.reads.agent().get("paused_why")),
        )

    def _is_over(self, once: EndOfRun, now: float) -> int | None:
        """Return the exit code of `run --once` where it is over; what was just handed to the ledger counts."""
        if once.is_over(self._state(now), now):
            self._parts.ledger.call(lambda _ledger: None)
            state = self._state(now)
            if once.is_over(state, now):
                return exit_code(state)
        return None

    def _feed(self) -> None:
        """Feed the watchdog, and write that we are alive: by finished turns and listed folders, never by a timer."""
        now = time.monotonic()
        if now - self._fed_at >= 1.0:
            self._fed_at = now
            self._notifier.watchdog()
        if now >= self._beat_at:
            self._beat_at = now + HEARTBEAT_SECONDS
            sending, sums = self._parts.gate.flow, self._parts.meters.sums()
            self._parts.ledger.submit(lambda ledger: alive(ledger, sending, sums))
