"""Whether a request may leave now: paused, blocked, held back by Retry-After, stopping, over the rate, no clock."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING

from agent.core.flow import Flow

if TYPE_CHECKING:
    from collections.abc import Callable

BURST_SECONDS = 1.0
"""How much of an unused rate may be made up for at once."""


class Gate:
    """Shared by everything that sends. `clock` gives monotonic seconds; `per_minute` None means no limit.

    `tell_hold` is told of a wait that the server has asked for, in seconds, so that it can be kept over a restart.
    `flow` finds how many jobs may be sent at once, and how fast.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        per_minute: float | None = None,
        tell_hold: Callable[[float], None] = lambda _seconds: None,
        flow: Flow | None = None,
    ) -> None:
        self._flow = Flow() if flow is None else flow
        self._tell_hold = tell_hold
        self._clock = clock
        self._tell_fleet: Callable[[float], None] = lambda _seconds: None
        self._changed = threading.Condition()
        self.limit_rate(per_minute)
        self._next_start = -math.inf
        self._held_until = -math.inf
        self._paused = False
        self._stopped = False
        self._has_no_clock = False
        self.blocked = ""
        self.lets_probes = False

    @property
    def is_shut(self) -> bool:
        """Whether nothing may leave until somebody opens it: stopping, paused, blocked, or the clock is not set.

        What is blocked for all but probes is open.
        """
        return self._stopped or self._paused or self._is_barred

    @property
    def _is_barred(self) -> bool:
        return self._has_no_clock or (bool(self.blocked) and not self.lets_probes)

    @property
    def flow(self) -> str:
        """How many jobs may be sent at once now, for a person.

        And how many a second where the target has asked for fewer, how many a minute where that is set.
        """
        with self._changed:
            concurrency, rate = self._flow.concurrency, self._flow.pace.rate(self._clock())
            most = f"{concurrency.limit} of {concurrency.most}"
        most += "" if math.isinf(rate) else f", {rate:.1f} a second"
        return most if math.isinf(self._per_second) else f"{most}, at most {self._per_second * 60:g} a minute"

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

    def block(self, reason: str, *, lets_probes: bool = False) -> None:
        """Shut because the key or the project is refused; '' opens again.

        `lets_probes`: it stays open, for whoever sends to see by single jobs whether they are taken again.
        """
        with self._changed:
            self.blocked = reason
            self.lets_probes = lets_probes
            self._changed.notify_all()

    def hold(self, seconds: float) -> None:
        """Let nothing leave for `seconds`: the server has asked for it (Retry-After)."""
        with self._changed:
            until = self._clock() + seconds
            is_longer = seconds > 0 and until > self._held_until
            self._held_until = max(self._held_until, until)
        if is_longer:
            self._tell_hold(seconds)
            self._tell_fleet(seconds)

    def share(self, tell: Callable[[float], None]) -> None:
        """Have a fleet told, too, of a wait that the server has asked for, in seconds."""
        self._tell_fleet = tell

    def is_held(self, seconds: float) -> None:
        """Let nothing leave for `seconds`, as another host of the fleet was asked: nobody is told."""
        with self._changed:
            self._held_until = max(self._held_until, self._clock() + seconds)

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
        return self._enter(lambda: not self._stopped and not self._is_barred)

    def enter_to_send(self) -> bool:
        """Wait for a job's turn among those that are sent; return whether it may leave now: then `left` ends its turn.

        It is let in by how the server has answered, too: how many it takes at once, and how fast.
        """
        with self._changed:
            while not self.is_shut:
                now = self._clock()
                wait = max(self.held_for(), self._flow.wait(now))
                if wait <= 0:
                    self._flow.begins(now)
                    return True
                self._changed.wait(None if math.isinf(wait) else wait)
            return False

    def left(self) -> None:
        """End a job's turn: it was sent, or was not after all."""
        with self._changed:
            self._flow.ends()
            self._changed.notify_all()

    def answered(self, began: float, size: int) -> None:
        """Take note of an answer to a job of `size` files that was sent at `began`, by the clock."""
        with self._changed:
            self._flow.answered(began, self._clock(), size)

    def pushed_back(self, began: float, *, too_often: bool) -> None:
        """Take note of a failure of one; `too_often`: the server asks for fewer, and does not say for how long."""
        with self._changed:
            self._flow.pushed_back(began, self._clock(), too_often=too_often)

    def _enter(self, is_open: Callable[[], bool]) -> bool:
        with self._changed:
            while is_open() and (seconds := self.held_for()) > 0:
                self._changed.wait(seconds)
            return is_open()
