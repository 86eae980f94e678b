"""Playment, with good and bad days."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from typing import TYPE_CHECKING

from agent.sandbox import Faults
from agent.sandbox.server import Answer, LoseReply
from tests.support import Playment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.sandbox.server import Request

LOSES = Faults(lose_reply=1 / 6, error_after=1 / 6, error_before=1 / 6)
BUSY = Faults(rate_limit=0.25, try_later=0.25)


class TroubledPlayment(Playment):
    """Each method that gives a context makes it ill for so long: one at a time. All are the caller's one thread's."""

    def __init__(self) -> None:
        super().__init__()
        self._paid: Counter[str] = Counter()
        self._counted = 0
        self._answers_errors = False
        self._speaks = threading.Event()
        self._speaks.set()

    def _call(self, call: str, request: Request) -> Answer:
        if self._answers_errors:
            return Answer(503, {"error": {"code": "internal", "message": "no"}, "success": False})
        if self._speaks.is_set():
            return super()._call(call, request)
        if len(self.receipts) % 2:
            super()._call(call, request)
        self._speaks.wait()
        raise LoseReply

    def paid(self) -> Counter[str]:
        """Return how many jobs were made of each content, by the digest at the end of their ids."""
        new = self.jobs[self._counted :]
        self._paid.update(job.reference_id.rpartition("~")[2] for job in new)
        self._counted += len(new)
        return self._paid

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Answer 503 to everything."""
        self._answers_errors = True
        yield
        self._answers_errors = False

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Do not listen."""
        self.__exit__()
        yield
        self.__enter__()

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """Take requests and break them off without an answer when it is over; do what every second one asks for."""
        self._speaks.clear()
        yield
        self._speaks.set()

    @contextlib.contextmanager
    def faulty(self, faults: Faults) -> Iterator[None]:
        """Answer with these faults."""
        self.faults = faults
        yield
        self.faults = Faults()

    def take_key(self, key: str) -> None:
        """Take this key from now on, and no other."""
        self._api_key = key
