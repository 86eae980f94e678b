"""Whether Playment lets us in at all: whose fault a refusal is, and the slow look for recovery."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from agent.errors import AccessRefused, Refused, RemoteError, TryLater

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.gate import Gate
    from agent.playment import Playment
    from agent.workers import Pool

log = logging.getLogger(__name__)

BLOCKED_PROBE = 60.0
"""Seconds between two looks whether the key works again."""


class Access:
    """Shuts the gate when the key or the project is refused, and opens it again. `tell` writes the reason, or ''."""

    def __init__(
        self, playment: Playment, gate: Gate, monotonic: Callable[[], float], tell: Callable[[str], None]
    ) -> None:
        self._playment = playment
        self._gate = gate
        self._monotonic = monotonic
        self._tell = tell
        self._lock = threading.Lock()
        self._next_probe = 0.0

    def judge(self, error: AccessRefused) -> RemoteError:
        """Ask for the project's details once: refused too, everything stops; else the refusal is this job's alone."""
        with self._lock:
            if not self._gate.enter():
                return error
            try:
                self._playment.details()
            except AccessRefused as refusal:
                reason = f"Playment refuses the key or the project: {refusal}"
                log.error("sending is stopped, nothing is lost: %s", reason)  # noqa: TRY400 (a sentence, no defect)
                self._next_probe = self._monotonic() + BLOCKED_PROBE
                self._gate.block(reason)
                self._tell(reason)
                return error
            except RemoteError as other:
                asked = other.retry_after if isinstance(other, TryLater) else None
                return TryLater(str(other), code=other.code, retry_after=asked, refused=True)
            return Refused(str(error), code=error.code)

    def turn(self, pool: Pool) -> float:
        """While blocked, have `pool` ask slowly whether Playment lets us in again; return seconds until the next time.

        Not in the caller's thread: an answer may take longer than a stop is allowed to.
        """
        wait = max(self._next_probe - self._monotonic(), self._gate.held_for())
        if wait > 0:
            return wait
        self._next_probe = self._monotonic() + BLOCKED_PROBE
        pool.submit(self._look_for_recovery)
        return BLOCKED_PROBE

    def _look_for_recovery(self) -> None:
        try:
            self._playment.details()
        except RemoteError as error:
            log.error("still blocked: %s", error)  # noqa: TRY400 (a sentence, no defect)
            if isinstance(error, TryLater) and error.retry_after:
                self._gate.hold(error.retry_after)
            return
        log.warning("Playment lets us in again: sending goes on")
        self._gate.block("")
        self._tell("")
