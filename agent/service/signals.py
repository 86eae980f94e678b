"""What SIGTERM and SIGINT do to a running service."""

from __future__ import annotations

import logging
import signal
from typing import Protocol

log = logging.getLogger(__package__)


class Stoppable(Protocol):
    """What runs until it is told to stop."""

    def stop(self) -> None:
        """Have it end; may be called from a signal handler."""


def obey_signals(service: Stoppable) -> None:
    """Stop cleanly at the first SIGTERM or SIGINT, at once at the second."""

    def stop(number: int, _frame: object) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_DFL)
        log.info("%s: finishing what is in flight; once more stops at once", signal.Signals(number).name)
        service.stop()

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, stop)
