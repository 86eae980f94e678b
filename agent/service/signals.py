"""What SIGTERM, SIGINT and SIGHUP do to a running service."""

from __future__ import annotations

import logging
import os
import queue
import signal
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

log = logging.getLogger(__package__)


class Obeying(Protocol):
    """What runs until it is told to stop."""

    def stop(self) -> None:
        """Have it end; may be called from a signal handler."""

    def reload(self) -> None:
        """Have the settings read again; may be called from a signal handler."""


class Stops:
    """Takes note of signals from now on, for who waits for the first.

    A `threading.Event` is not fit for that: a second signal within its `set` waits for ever for the lock that the first
    holds. What is put here may be put at any moment (queue, `SimpleQueue.put`).
    """

    def __init__(self, numbers: Iterable[signal.Signals]) -> None:
        self._came: queue.SimpleQueue[int] = queue.SimpleQueue()
        for each in numbers:
            signal.signal(each, lambda number, _frame: self._came.put(number))

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for so long at most, None for as long as it takes; return whether one has come."""
        try:
            self._came.get(timeout=seconds)
        except queue.Empty:
            return False
        return True


def obey_signals(service: Obeying) -> None:
    """Stop cleanly at the first SIGTERM or SIGINT, at once at the second; read the settings again at SIGHUP.

    A SIGHUP because our terminal has gone is a stop, and where it is ignored (nohup) it stays so.
    """
    on_terminal = _has_terminal()

    def stop(number: int, _frame: object) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_DFL)
        log.info("%s: finishing what is in flight; once more stops at once", signal.Signals(number).name)
        service.stop()

    def hang_up(number: int, frame: object) -> None:
        if on_terminal and not _has_terminal():
            stop(number, frame)
        else:
            service.reload()

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, hang_up)


def _has_terminal() -> bool:
    """Tell whether this process has a controlling terminal (tty(4): opening /dev/tty fails where it has none)."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
