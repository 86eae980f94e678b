"""Takes note of how one remote answers: while it is away nothing is sent but probes.

People are told once that it is, once an hour that it still is, and once that it is back. What waits then goes at once
and in order, whatever has put it off.
"""

from __future__ import annotations

import logging
import math
import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from agent.core.breaker import Breaker
from agent.core.retry import BREAKER, OUTAGE_SECONDS
from agent.ledger.jobs import outage_over

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.errors import TryLater
    from agent.ledger.store import Ledger

log = logging.getLogger(__package__)

HOUR = 3600.0


class Write(Protocol):
    """Has `work` done in a transaction, however long that takes; `then` is called after the commit."""

    def __call__(self, work: Callable[[Ledger], object], then: Callable[[], None]) -> None:
        """Hand it on."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A remote in words: what is said while it is away, and once it is back. `away` and `back` write that.

    `lasts` is after how many seconds it is told that nothing goes through, be it of one job alone. `is_outage` tells
    of which codes, that the ledger has kept, it is the cause.
    """

    is_away: str
    is_back: str
    away: Callable[[Ledger, str], object]
    back: Callable[[Ledger, str], object]
    is_outage: Callable[[str], bool]
    lasts: float = math.inf


class Outage:
    """Whether a remote is away. Used by any thread; `opened` and `closed` are called when that changes.

    `told` is what people were told of it, '' where it is there.
    """

    def __init__(
        self,
        remote: Remote,
        monotonic: Callable[[], float],
        write: Write,
        *,
        opened: Callable[[], None],
        closed: Callable[[], None],
    ) -> None:
        self._remote = remote
        self._monotonic = monotonic
        self._write = write
        self._opened = opened
        self._closed = closed
        self._lock = threading.Lock()
        self._breaker = Breaker()
        self._is_closing = False
        self._why = ""
        self._vain = 0
        self._told_at = math.inf
        self.told = ""

    @property
    def is_open(self) -> bool:
        """Whether nothing may leave for it but a probe."""
        return self._breaker.is_open

    def failed(self, job: int, error: TryLater, *, sure: bool = False) -> None:
        """Take note of a failure that is the remote's, as far as it can be told; `sure`: it can be."""
        with self._lock:
            if self._is_closing:
                return
            self._why = str(error)
            self._vain += 1
            was_open = self._breaker.is_open
            opens = self._breaker.failed(job, self._monotonic(), sure=sure)
            if was_open and not self._is_told and self._breaker.is_lasting(self._monotonic(), BREAKER.seconds()):
                self._tell()  # one that the first probe ends is none
        if opens:
            self._opened()

    def trip(self, job: int) -> None:
        """Let nothing leave but probes, and these as rarely as may be; whoever calls tells why."""
        with self._lock:
            self._breaker.trip(job, self._monotonic())
        self._opened()

    def worked(self) -> None:
        """Take note that something went through."""
        if not self._breaker.is_troubled:
            return
        with self._lock:
            if self._is_closing or not self._breaker.is_troubled:
                return
            lasted = self._monotonic() - self._breaker.since
            is_told, was_open = self._is_told, self._breaker.is_open
            if was_open:
                self._is_closing = True  # till what waits is in order
            else:
                self._breaker.worked()
            self._told_at, vain, self._vain = math.inf, self._vain, 0
            self.told = ""
        if is_told:
            text = f"{self._remote.is_back}, after {lasted:,.0f} s and {vain:,} tries"
            log.warning("%s", text)
        if was_open or is_told:
            self._write(partial(self._over, text=text if is_told else "", lasted=lasted), self._close)

    def wait(self) -> float:
        """Return in how many seconds a probe may leave, 0 where nothing is in the way."""
        if self._is_closing:
            return HOUR
        return self._breaker.wait(self._monotonic()) if self.is_open else 0.0

    def probes(self, job: int) -> None:
        """Take note of the job that leaves as a probe."""
        with self._lock:
            self._breaker.probes(job, self._monotonic())

    def turn(self) -> float:
        """Tell what is to be told by now; return after how many seconds to look again."""
        with self._lock:
            now = self._monotonic()
            if not self._breaker.is_troubled or self._is_closing:
                return HOUR
            if self._is_told:
                if now - self._told_at >= HOUR:
                    self._tell()
                return self._told_at + HOUR - now
            if self._breaker.is_lasting(now, self._remote.lasts):
                self._tell()
                return HOUR
            return min(HOUR, self._breaker.since + self._remote.lasts - now)

    @property
    def _is_told(self) -> bool:
        return not math.isinf(self._told_at)

    def _tell(self) -> None:
        still = f", for {(self._monotonic() - self._breaker.since) / HOUR:.0f} h now" if self._is_told else ""
        self._told_at = self._monotonic()
        text = f"{self._remote.is_away}{still}, tried {self._vain:,} times in vain: {self._why}"
        self.told = text
        log.warning("%s", text)
        self._write(lambda ledger: self._remote.away(ledger, text), lambda: None)

    def _over(self, ledger: Ledger, *, text: str, lasted: float) -> None:
        if text:
            self._remote.back(ledger, text)
        if lasted >= OUTAGE_SECONDS:
            outage_over(ledger, self._remote.is_outage)

    def _close(self) -> None:
        with self._lock:
            self._is_closing = False
            self._breaker.worked()
        self._closed()
