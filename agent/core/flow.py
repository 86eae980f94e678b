"""How many requests may be under way at once, and how soon one after the other: as the server can take. Pure.

The number is found as TCP finds it, and Vector's adaptive request concurrency
(https://vector.dev/blog/adaptive-request-concurrency/): one more for each round that goes well, half where the server
asks for fewer, fails, or takes ever longer. Where a server answers fast and limits how often it is asked, no number is
low enough: then a pace is kept beside it, which is found as CUBIC does (RFC 9438): below the pace that was refused,
long beside it, and beyond it ever faster.
"""

from __future__ import annotations

import math

FIRST = 8
"""How many are under way before any answer; with each round that goes well they double, until a first trouble."""
SLOWER = 2.0
SLACK = 0.2
"""A round is slow where each of its answers took `SLOWER` times what is usual for such jobs, and `SLACK` seconds."""
FOLLOWS = 0.05
"""How far a round that takes longer moves what is usual: a server that has become slower is one day the usual one."""

LOWERED = 0.06
"""By which part of itself a pace falls that was refused,"""
PLATEAU = 15.0
"""and in how many seconds it is there again."""
SLOWEST = 0.2
"""Requests a second that are tried at the least."""
REST = 1.0
"""Seconds without a request after the first refusal: most limits are counted by the second."""
CREDIT = 0.02
"""Seconds by which a request that left late lets the next one leave early."""


class Concurrency:
    """The number of requests that may be under way, between 1 and `most`. `now` is any monotonic number of seconds."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = min(most, FIRST)
        self._is_rising = True
        self._usual: dict[int, float] = {}
        self._lowered_at = -math.inf
        self._answers = 0
        self._slow = 0
        self._was_full = False

    def answered(self, began: float, now: float, *, under_way: int, size: int = 1) -> None:
        """Take note of an answer to a request for `size` files; `under_way` were, with it."""
        if began < self._lowered_at:
            return
        self._answers += 1
        self._slow += self._is_slow(now - began, size)
        self._was_full |= under_way >= self.limit
        if self._answers >= self.limit:
            self._end_of_round(now)

    def pushed_back(self, began: float, now: float, least: int = 1) -> None:
        """Take note of a failure, or of being asked for fewer: half as many, once for all that were under way.

        No fewer than `least`: as many as a pace needs.
        """
        if began >= self._lowered_at:
            self._lower(now, least)

    def _is_slow(self, seconds: float, size: int) -> bool:
        """Tell whether an answer took much longer than usual, and learn of it: files count by powers of two."""
        kind = size.bit_length()
        usual = self._usual.setdefault(kind, seconds)
        self._usual[kind] = min(seconds, usual + FOLLOWS / self.limit * max(0.0, seconds - usual))
        return seconds > SLOWER * usual + SLACK

    def _end_of_round(self, now: float) -> None:
        if self._slow == self._answers:
            self._lower(now)
            return
        if self._was_full:
            self.limit = min(self.most, 2 * self.limit if self._is_rising else self.limit + 1)
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
        self._lowered_at = -math.inf
        self._next_at = -math.inf
        self._second = -1
        self._accepted = [0, 0]

    def rate(self, now: float) -> float:
        """Return the requests a second that may leave now."""
        if math.isinf(self._ceiling):
            return math.inf
        part = (now - self._lowered_at) / PLATEAU - 1
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

    def refused(self, began: float, now: float) -> None:
        """Take note of a request that was refused, because there were too many: once for all that were under way."""
        if began < self._lowered_at:
            return
        self._count(now)
        taken = float(max(self._accepted))
        before = self.rate(now)
        is_new = math.isinf(before)
        # Of a pace that is far too high, as after a burst that was let through, no small step leads down in time.
        self._ceiling = max(SLOWEST, taken if is_new or taken < before / 2 else before)
        self._lowered_at = now
        self._next_at = now + (REST if is_new else 1 / self._ceiling)

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
