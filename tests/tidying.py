"""What the tests of tidied folders share: real files, a real ledger, real noticing, and a clock that stands still."""

from __future__ import annotations

import contextlib
import functools
import time
from typing import TYPE_CHECKING, Any, Self

from agent.core.names import Filters
from agent.core.quiet_times import QuietTimes
from agent.core.states import State
from agent.folder.scanner import Scanner
from agent.folder.tree import Tree
from agent.host.clock import Clocks
from agent.host.workers import AtOnce
from agent.ledger import jobs, lookups
from agent.ledger.reads import Reads
from agent.ledger.store import Ledger, iso
from agent.ledger.writer import LedgerWriter
from agent.model import Kind
from agent.model.jobs import Lookup
from agent.noticing.decide import LedgerDecider, Verdicts
from agent.noticing.ledger_book import LedgerBook
from agent.noticing.messages import Finished, NotWritten
from agent.noticing.start import noticing
from agent.reading.examiner import FileExaminer
from agent.reading.reader import Reader
from agent.reading.readers import Readers
from tests.sending import RULES, Clock
from tests.support import image, query, write

if TYPE_CHECKING:
    from pathlib import Path

    from agent.core.reference_id import IdRules

QUIET = 2.0
NEXT_LOOK = 10.0


@functools.cache
def picture(number: int) -> bytes:
    """Return a whole image unlike those of other numbers."""
    return image(number)


class Inbox:
    """A watch folder and its ledger. A `look` ends when all that is there has settled; what it queued counts as sent.

    Like a process, it may be started on a ledger again.
    """

    def __init__(self, place: Path, rules: IdRules = RULES) -> None:
        self.root = place / "inbox"
        self.root.mkdir(exist_ok=True)
        self.path = place / "ledger.db"
        self.clock = Clock()
        self.is_there = True
        self._rules = rules
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self) -> None:
        """Begin as a new process does."""
        self._stack.close()
        self._messages: list[Finished | NotWritten] = []
        ledger = Ledger(self.path, self.clock.now)
        self._stack.callback(ledger.close)
        self.ledger = LedgerWriter(ledger)
        self._stack.callback(self.ledger.close)
        self.ledger.call(lambda ledger: ledger.put(started_at=iso(ledger.now)))
        self.reads = self._stack.enter_context(Reads.open(self.path))
        filters = Filters.of(["jpg"], ["stills", "stills/*"])
        self.scanner = Scanner(self.root, filters)
        began = time.time() - self.clock.monotonic()
        self._book = LedgerBook(self.ledger, self._messages.append)
        self._noticing = noticing(
            Tree(self.scanner, filters),
            self.reads,
            QuietTimes(QUIET, QUIET, ""),
            Readers(Reader(FileExaminer(self.scanner), "warn"), dict.fromkeys(Kind, AtOnce())),
            book=self._book,
            decider=LedgerDecider(self.ledger, Verdicts(self.scanner, self._rules), self._messages.append),
            clocks=Clocks(lambda: began + self.clock.monotonic(), self.clock.monotonic, lambda: 0.0),
            absence_is_proof=lambda: self.is_there,
        )

    def write(self, path: str, *numbers: int) -> None:
        """Write an image, or frames into a folder."""
        if path.endswith(".jpg"):
            (number,) = numbers
            write(self.root / path, picture(number))
        for number in () if path.endswith(".jpg") else numbers:
            write(self.root / path / f"f{number}.jpg", picture(number))

    def move(self, old: str, new: str) -> None:
        """Rename a file or a folder, be it into a folder that is made for it."""
        (self.root / new).parent.mkdir(parents=True, exist_ok=True)
        (self.root / old).rename(self.root / new)

    def copy(self, old: str, new: str) -> None:
        """Write the bytes of a file into another one, which is younger."""
        write(self.root / new, (self.root / old).read_bytes())

    def glance(self) -> None:
        """Look once at all there is: what is new waits."""
        self._noticing.detector.rescan(self.clock.monotonic())
        self._turn()
        self._noticing.lister.scanned()
        self._turn()

    def look(self, *, send: bool = True, after: float = NEXT_LOOK) -> list[dict[str, Any]]:
        """Look until all that is there has settled; return the rows that were sent by that, or are to be."""
        self.clock.advance(after)
        for _ in range(20):
            self.glance()
            if not self._noticing.rest.waiting and not self._noticing.rest.reading:
                break
            self.clock.advance(QUIET)
        else:
            raise AssertionError("it never settles")
        new = query(self.path, "select * from jobs where state = 'pending' order by id")
        if send:
            self.send()
        return new

    def send(self) -> None:
        """Write that what waits to be sent was sent."""
        sent = "update jobs set state = 'submitted', job_id = 'J' || id where state = 'pending'"
        self.ledger.call(lambda ledger: ledger.sql.execute(sent))

    def try_all(self, state: str) -> None:
        """Write that what waits to be sent is on its way (`submitting`), or may be there, without an answer."""
        tried = "update jobs set state = ?, attempts = 1, unanswered = 1 where state = 'pending'"
        self.ledger.call(lambda ledger: ledger.sql.execute(tried, (state,)))

    def answer_all(self, outcome: str) -> None:
        """Write what became of it at last: it was `made`, `not made`, or is `not ours`."""
        self.ledger.call(functools.partial(_answer_all, outcome=outcome))

    def rows(self, path: str) -> list[dict[str, Any]]:
        """Return the rows of a path, oldest first."""
        return query(self.path, "select * from jobs where path = ? order by id", path)

    def states(self, path: str) -> list[str]:
        """Return their states."""
        return [row["state"] for row in self.rows(path)]

    def held(self, path: str) -> tuple[str, str]:
        """Return the code and the reason of the one row of a path that is held."""
        (row,) = [row for row in self.rows(path) if row["state"] == "held"]
        return row["error_code"], row["reason"]

    def _turn(self) -> None:
        """Take turns at one moment until nothing more comes of it, all of it written."""
        while True:
            now = self.clock.monotonic()
            at = self._noticing.detector.turn(now)
            self.ledger.call(lambda _: None)
            messages = list(self._messages)
            self._messages.clear()
            for message in messages:
                if isinstance(message, NotWritten):
                    self._book.put_back(message)
                else:
                    self._noticing.detector.finished(message, now)
            if not messages and at > now:
                return


def _answer_all(ledger: Ledger, *, outcome: str) -> None:
    tried = "select id, state, lookup from jobs where unanswered > 0 order by id"
    for job, state, lookup in ledger.sql.execute(tried).fetchall():
        if outcome == "made":
            jobs.accepted(ledger, job, f"J{job}")
        elif outcome == "not made" and state == State.SUBMITTING:
            jobs.not_sent(ledger, job, quiet=False)
        elif outcome == "not made":
            wanted = Lookup(job, "", "", None, None, 1, Kind.IMAGE, "", lookup or "", attempted=False)
            lookups.not_found(ledger, wanted)
        else:
            if state == State.SUBMITTING:
                lookups.in_use(ledger, job, code="duplicate", reason="it is there")
            lookups.not_ours(ledger, job, "not ours")
