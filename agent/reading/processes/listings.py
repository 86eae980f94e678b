"""Has folders listed by processes of their own, while the agent compares those before them. I/O.

Listing takes most of a scan, and a system call for each file, which gives up the interpreter's lock: threads do not
help. 1,000 folders of 1,000 files: 3.9 s of CPU by the agent alone, of which 0.9 are not listing.
"""

from __future__ import annotations

import logging
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.reading.processes.listed import Folders
from agent.reading.processes.process import ENDED, WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.folder.scanner import Scanner
    from agent.reading.processes.listed import Listed

log = logging.getLogger(__package__)

HUNG_SECONDS = 30.0
"""So long an answer may take. Then the agent looks itself, and the watchdog sees it where that hangs, too."""


@dataclass(slots=True, eq=False)
class Asked:
    """A request: its process and number, when it was made, and the answer once that is there."""

    process: WorkerProcess
    number: int
    at: float
    found: Sequence[Listed | None] | None = None


class ListingProcesses:
    """Processes that list, at most `count`, started when they are asked first. All methods are the loop's thread's.

    Each has one request at a time, so that an answer is there as a whole where its pipe has something to read.
    """

    def __init__(self, scanner: Scanner, count: int, python: str = sys.executable) -> None:
        self._scanner = scanner
        self._count = count
        self._python = python
        self._is_refused = False
        self._lost = 0
        self._busy: dict[WorkerProcess, Asked] = {}
        self.processes: list[WorkerProcess] = []

    def room(self) -> int:
        """Return how many processes may be asked now, after starting them."""
        while not self._is_refused and len(self.processes) < self._count - self._lost:
            try:
                self.processes.append(WorkerProcess(self._scanner, self._python))
            except OSError as error:
                self._is_refused = True  # until the next rest
                log.warning("no process can be started to list folders (%s): going on without", error)
        return len(self._free())

    def ask(self, folders: Sequence[tuple[str, str | None]], *, known: bool) -> Asked:
        """Ask a process that is free for the listings of folders, as `Folders` says."""
        process = self._free()[0]
        request = Folders((*folders,), self._scanner.inodes_last, known)
        asked = self._busy[process] = Asked(process, process.ask(("", request)), time.monotonic())
        return asked

    def is_answered(self, asked: Asked, seconds: float) -> bool:
        """Wait so long for an answer; one from a process that has ended, or hangs, is that nothing was found."""
        if asked.found is not None:
            return True
        hangs = time.monotonic() - asked.at > HUNG_SECONDS
        if not hangs and not asked.process.has_something(seconds):
            return False
        self._take_in(asked, hangs=hangs)
        return True

    def rest(self) -> None:
        """End the processes; the next large scan starts them again."""
        for process in self.processes:
            process.end()
        for asked in self._busy.values():
            asked.found = ()
        self.processes, self._busy, self._lost, self._is_refused = [], {}, 0, False

    def _free(self) -> list[WorkerProcess]:
        for process, asked in [*self._busy.items()]:
            if process.has_something(0):  # whether anybody waits for it or not
                self._take_in(asked)
        for process in [process for process in self.processes if process not in self._busy and not process.is_alive]:
            self._lose(process)
        return [process for process in self.processes if process not in self._busy and process.is_ready]

    def _take_in(self, asked: Asked, *, hangs: bool = False) -> None:
        process, asked.found = asked.process, ()
        del self._busy[process]
        try:
            if hangs:
                raise EOFError
            answer = process.answer(asked.number)
        except ENDED:
            self._lose(process)
            return
        assert isinstance(answer, list)
        asked.found = answer

    def _lose(self, process: WorkerProcess) -> None:
        how = process.end()
        self.processes.remove(process)
        self._lost += 1  # until the next rest: what has ended one may end the next
        log.warning("a process that lists folders has ended (%s): going on without it", how)
