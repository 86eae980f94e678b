"""A start that waits for what is not there yet: after a boot, mounts and keys may come later than the service."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import time
from typing import TYPE_CHECKING

from agent.core.retry import START
from agent.errors import FolderUnavailable, NotThereYet
from agent.host import logs, systemd
from agent.service.loop import Service
from agent.service.signals import obey_signals

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.settings.settings import Settings

log = logging.getLogger(__package__)

SAY_SECONDS = 60.0
"""Time between two lines of the log that say the same."""


class Waiting:
    """Starts the service as soon as all that its settings name is there.

    All methods are one thread's, but `stop` and `reload`. `load` returns the settings and sets up logging by them,
    `read` returns those that are there now, for a reload. To systemd it is ready while it waits, so that a boot does
    not wait, too; STATUS says what for.
    """

    def __init__(self, load: Callable[[], Settings], read: Callable[[], Settings]) -> None:
        self._load = load
        self._read = read
        self._notifier = systemd.Notifier(os.environ)
        self._woken: queue.SimpleQueue[None] = queue.SimpleQueue()  # a signal handler may put into it at any moment
        self._stopping = False
        self._told = ""
        self._say_at = 0.0

    def stop(self) -> None:
        """Have it end; may be called from a signal handler or another thread."""
        self._stopping = True
        self._woken.put(None)

    def reload(self) -> None:
        """Have the settings read now; may be called as `stop`."""
        self._woken.put(None)

    def run(self) -> int:
        """Wait, and run the service until it is stopped; return the exit code.

        Raises SettingsError for what waiting does not mend, AlreadyRunning, LedgerError.
        """
        obey_signals(self)
        while not self._stopping:
            try:
                service = Service(self._load(), read=self._read)
                obey_signals(service)
                if not self._stopping:
                    return service.run()
            except NotThereYet as error:
                logs.set_up(error.log_level, error.log_format)
                self._wait(" ".join(error.problems))
            except FolderUnavailable as error:  # it went between two looks
                if service.is_stopping:
                    break
                obey_signals(self)
                self._wait(str(error))
        self._notifier.stopping()
        return 0

    def _wait(self, problem: str) -> None:
        """Say what is waited for, and wait a while."""
        now = time.monotonic()
        if not self._told:
            self._notifier.ready()
        if problem != self._told or now >= self._say_at:
            log.warning("not started yet: %s It is waited for.", problem)
            self._told, self._say_at = problem, now + SAY_SECONDS
        self._notifier.status(f"waiting: {problem}")
        self._notifier.watchdog()
        with contextlib.suppress(queue.Empty):
            self._woken.get(timeout=START.seconds())
