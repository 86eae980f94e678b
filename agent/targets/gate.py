"""Whether a request may leave now: paused, blocked, held back by Retry-After, stopping, over the rate, no clock."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BURST_SECONDS = 1.0
"""How much of an unused rate may be made up for at once."""


class Gate:
    """Shared by everything that sends. `clock` gives monotonic seconds; `per_minute` None means no limit.

    `tell_hold` is told of a wait that the server has asked for, in seconds, so that it can be kept over a restart.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        per_minute: float | None = None,
        tell_hold: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        self._tell_hold = tell_hold
        self._clock = clock
        self._changed = threading.Condition()
        self.limit_rate(per_minute)
        self._next_start = -math.inf
        self._held_until = -math.inf
        self._paused = False
        self._stopped = False
        self._has_no_clock = False
        self.blocked = ""

    @property
    def is_shut(self) -> bool:
        """Whether nothing may leave until somebody opens it: stopping, paused, blocked, or the clock is not set."""
        return self._stopped or self._paused or bool(self.blocked) or self._has_no_clock

    def stop(self) -> None:
        """Shut for good."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def limit_rate(self, per_minute: float | None) -> None:
        """Have so many starts a minute from now on; None means no limit."""
        self._per_second = per_minute / 60 if per_minute else math.inf

    def pause(self, *, paused: bool) -> None:
        """Shut, or open again, as a person says."""
        with self._changed:
            self._paused = paused
            self._changed.notify_all()

    def wait_for_clock(self, *, unset: bool) -> None:
        """Shut while the clock is not set: what is asked and answered now would carry a day that cannot be."""
        with self._changed:
            self._has_no_clock = unset
            self._changed.notify_all()

    def block(self, reason: str) -> None:
        """Shut because the key or the project is refused; '' opens again."""
        with self._changed:
            self.blocked = reason
            self._changed.notify_all()

    def hold(self, seconds: float) -> None:
        """Let nothing leave for `seconds`: the server has asked for it (Retry-After)."""
        with self._changed:
            until = self._clock() + seconds
            is_longer = seconds > 0 and until > self._held_until
            self._held_until = max(self._held_until, until)
        if is_longer:
            self._tell_hold(seconds)

    def held_for(self) -> float:
        """Return for how many seconds nothing may leave because the server has asked for it."""
        return max(0.0, self._held_until - self._clock())

    def starts(self, wanted: int) -> tuple[int, float]:
        """Take up to `wanted` starts from the rate; return how many there are, and seconds until the next one."""
        if math.isinf(self._per_second):
            return wanted, 0.0
        now = self._clock()
        burst = max(BURST_SECONDS, 1 / self._per_second)  # less than one start would never become one
        self._next_start = max(self._next_start, now - burst)
        count = min(wanted, max(0, math.floor((now - self._next_start) * self._per_second + 1e-9)))
        self._next_start += count / self._per_second
        return count, max(0.0, self._next_start + 1 / self._per_second - now)

    def enter(self) -> bool:
        """Wait while held back; return whether a request may leave now."""
        return self._enter(lambda: not self.is_shut)

    def enter_to_read(self) -> bool:
        """Wait while held back; return whether a call that only reads may leave now: a pause does not stop it."""
        return self._enter(lambda: not (self._stopped or self.blocked or self._has_no_clock))

    def _enter(self, is_open: Callable[[], bool]) -> bool:
        with self._changed:
            while is_open() and (seconds := self.held_for()) > 0:
                self._changed.wait(seconds)
            return is_open()
