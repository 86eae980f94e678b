"""How many requests may be under way at once, and how soon one after the other: as the server can take. Pure.

The number is found as TCP finds it, and Vector's adaptive request concurrency
(https://vector.dev/blog/adaptive-request-concurrency/): one more for each round that goes well, half where the server
asks for fewer, fails, or takes ever longer. Where a server answers fast and limits how often it is asked, no number is
low enough: then a pace is kept beside it, which is found as CUBIC does (RFC 9438): below the pace that was refused,
long beside it, and beyond it ever faster.
"""

from __future__ import annotations

import math

FIRST = 16
"""How many are under way before any answer; with each round that goes well they are four times as many, until a first
trouble."""
SLOWER = 2.0
SLACK = 0.1
"""A round is slow where each of its answers took `SLOWER` times what is usual for such jobs, and `SLACK` seconds."""
FORGOTTEN = 60.0
"""Usual is the fastest of this many seconds, and of as many before: a server may become slower for good."""

LOWERED = 0.06
"""By which part of itself a pace falls that was refused,"""
PLATEAU = 20.0
"""and in how many seconds it is there again."""
SLOWEST = 0.2
"""Requests a second that are tried at the least."""
REST = 1.0
"""Seconds without a request after a refusal that no pace foresaw: most limits are counted by the second."""
SEEKING = 4.0
"""Seconds in which the pace doubles from what was taken then, until it is refused again: that may have been too few."""
CREDIT = 0.02
"""Seconds by which a request that left late lets the next one leave early."""


class _Fastest:
    """The fastest of the answers of the last minute or two."""

    def __init__(self) -> None:
        self._minute = -1
        self._least = [math.inf, math.inf]

    def of(self, seconds: float, now: float) -> float:
        """Take note of an answer that took so long, and return how long the fastest one did."""
        minute = math.floor(now / FORGOTTEN)
        if minute != self._minute:
            self._least = [self._least[1] if minute == self._minute + 1 else math.inf, math.inf]
            self._minute = minute
        self._least[1] = min(self._least[1], seconds)
        return min(self._least)


class Concurrency:
    """The number of requests that may be under way, between 1 and `most`. `now` is any monotonic number of seconds."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = min(most, FIRST)
        self._is_rising = True
        self._usual: dict[int, _Fastest] = {}
        self._lowered_at = -math.inf
        self._answers = 0
        self._slow = 0
        self._was_full = False

    def answered(self, began: float, now: float, *, under_way: int, size: int = 1) -> None:
        """Take note of an answer to a request for `size` files; `under_way` were, with it."""
        if began < self._lowered_at:
            return
        self._answers += 1
        usual = self._usual.setdefault(size.bit_length(), _Fastest())  # files count by powers of two
        self._slow += now - began > SLOWER * usual.of(now - began, now) + SLACK
        self._was_full |= under_way >= self.limit
        if self._answers >= self.limit:
            self._end_of_round(now)

    def pushed_back(self, began: float, now: float, least: int = 1) -> None:
        """Take note of a failure, or of being asked for fewer: half as many, once for all that were under way.

        No fewer than `least`: as many as a pace needs.
        """
        if began >= self._lowered_at:
            self._lower(now, least)

    def _end_of_round(self, now: float) -> None:
        if self._slow == self._answers:
            self._lower(now)
            return
        if self._was_full:
            self.limit = min(self.most, 4 * self.limit if self._is_rising else self.limit + 1)
        self._answers = self._slow = 0
        self._was_full = False

    def _lower(self, now: float, least: int = 1) -> None:
        self.limit = min(self.limit, max(self.limit // 2, least))
        self._lowered_at = now
        self._is_rising = False
        self._answers = self._slow = 0
        self._was_full = False


class Pace:
    """Requests a second; infinite where no server has asked for fewer lately."""

    def __init__(self) -> None:
        self._ceiling = math.inf
        self._is_sought = False
        self._lowered_at = -math.inf
        self._next_at = -math.inf
        self._second = -1
        self._accepted = [0, 0]

    def rate(self, now: float) -> float:
        """Return the requests a second that may leave now."""
        if math.isinf(self._ceiling):
            return math.inf
        since = now - self._lowered_at
        if self._is_sought:
            return self._ceiling * math.exp2(min(100.0, max(0.0, since - REST) / SEEKING))
        part = since / PLATEAU - 1
        return max(SLOWEST, self._ceiling * (1 + LOWERED * part**3))

    def wait(self, now: float) -> float:
        """Return in how many seconds the next request may leave."""
        return max(0.0, self._next_at - now)

    def leaves(self, now: float) -> None:
        """Take note of a request that leaves."""
        between = 1 / self.rate(now)
        self._next_at = max(self._next_at, now - min(CREDIT, between / 2)) + between

    def accepted(self, now: float) -> None:
        """Take note of a request that was taken."""
        self._count(now)
        self._accepted[1] += 1
        if self._is_sought and now < self._lowered_at + REST:  # it was under way when another was refused
            self._ceiling = max(self._ceiling, float(max(self._accepted)))

    def refused(self, began: float, now: float) -> None:
        """Take note of a request that was refused, because there were too many: once for all that were under way."""
        if began < self._lowered_at:
            return
        self._count(now)
        taken, before = float(max(self._accepted)), self.rate(now)
        # Of a pace that is far too high, as after a burst that was let through, no small step leads down in time.
        was_sought, self._is_sought = self._is_sought, taken < before / 2
        if self._is_sought:
            before = taken
        elif was_sought:
            before = min(before, max(taken, before * (1 - LOWERED)))  # it has grown fast, and may be well beyond
        self._ceiling = max(SLOWEST, before)
        self._lowered_at = now
        self._next_at = now + (REST if self._is_sought else 1 / self._ceiling)

    def _count(self, now: float) -> None:
        """Have this second, and the one before it, counted."""
        second = math.floor(now)
        if second != self._second:
            self._accepted = [self._accepted[1] if second == self._second + 1 else 0, 0]
            self._second = second


class Flow:
    """Both together, and how many requests are under way."""

    def __init__(self, most: int = 1_000_000) -> None:
        self.concurrency = Concurrency(most)
        self.pace = Pace()
        self.under_way = 0

    def wait(self, now: float) -> float:
        """Return in how many seconds a request may leave; infinite: when another one has ended."""
        return math.inf if self.under_way >= self.concurrency.limit else self.pace.wait(now)

    def begins(self, now: float) -> None:
        """Take note of a request that leaves."""
        self.under_way += 1
        self.pace.leaves(now)

    def ends(self) -> None:
        """Take note of a request that is over, or did not leave after all."""
        self.under_way -= 1

    def answered(self, began: float, now: float, size: int) -> None:
        """Take note of an answer to a request that began then."""
        self.concurrency.answered(began, now, under_way=self.under_way, size=size)
        self.pace.accepted(now)

    def pushed_back(self, began: float, now: float, *, too_often: bool) -> None:
        """Take note of a failure; `too_often`: the server asks for fewer requests, and does not say for how long."""
        least = 1
        if too_often:
            self.pace.refused(began, now)
            least = math.ceil(self.pace.rate(now) * (now - began)) + 1
        self.concurrency.pushed_back(began, now, least)
