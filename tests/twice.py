"""A target in memory that makes the same job as often as it is asked, loses answers, and takes requests late."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.errors import DuplicateReference, Refused, TryLater
from agent.model.jobs import Found
from agent.targets import Batch, Project, Twins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from agent.model import Job
    from agent.model.jobs import Lookup, SentJob
    from agent.targets import Ask, Awaited, Fetch

BATCH = Batch("1", "the project", is_default=True)
LIMIT = 120.0


@dataclass
class Task:
    """What was made; `is_worked_on` tells that somebody has annotated it."""

    number: int
    reference_id: str
    frames: int
    is_worked_on: bool = False


@dataclass(frozen=True)
class Fate:
    """What becomes of a request: after how many seconds it arrives (None: never), and whether its answer is seen."""

    arrives: float | None = 0.0
    is_answered: bool = False
    error: Exception | None = None


CLEAN = Fate(is_answered=True)
LOST = Fate()
NEVER = Fate(arrives=None)
REFUSED = Fate(arrives=None, error=Refused("no such key in data", code="http-400"))


@dataclass
class Twice:
    """The target. `now` is the test's clock; `fates` are those of the next requests, then all are clean.

    `broken` are the requests that left though no look had come between them and one before that might arrive still.
    """

    now: Callable[[], float]
    fates: deque[Fate] = field(default_factory=deque)
    tasks: list[Task] = field(default_factory=list)
    posts: list[tuple[float, str]] = field(default_factory=list)
    looks: dict[str, float] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    deleted: list[int] = field(default_factory=list)
    looked_again: list[float] = field(default_factory=list)
    is_away: bool = False

    name = "Twice"
    refuses_duplicates = False
    copies_files = False
    post_seconds = LIMIT

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._numbers = 0
        self._coming: list[tuple[float, str, int]] = []
        self._open: dict[str, float] = {}

    def create(self, job: Job) -> str:
        """Make a job, or whatever its fate says."""
        with self._lock:
            fate = self.fates.popleft() if self.fates else CLEAN
            name = job.reference_id
            if job.may_be_there and self.there(name):
                raise DuplicateReference("it is there", code="in-use")
            if name in self._open and self.looks.get(name, -1.0) < self._open[name] + LIMIT:
                self.broken.append(name)
            self.posts.append((self.now(), name))
            self._open[name] = self.now()
            if fate.error is not None:
                del self._open[name]
                raise fate.error
            if fate.arrives is not None:
                self._coming.append((self.now() + fate.arrives, name, len(job.frames)))
            self._arrive()
            if not fate.is_answered:
                raise TryLater("no answer", code="connection", is_outage=True)
            del self._open[name]
            return str(self.tasks[-1].number)

    def _arrive(self) -> None:
        here = sorted(each for each in self._coming if each[0] <= self.now())
        self._coming = [each for each in self._coming if each[0] > self.now()]
        for _, name, frames in here:
            self._numbers += 1
            self.tasks.append(Task(self._numbers, name, frames))

    def there(self, reference_id: str) -> list[Task]:
        """Return what was made of an id, the oldest first."""
        with self._lock:
            self._arrive()
            return [task for task in self.tasks if task.reference_id == reference_id]

    def names(self) -> list[str]:
        """Return the ids of all there is, as often as each is there."""
        with self._lock:
            self._arrive()
            return sorted(task.reference_id for task in self.tasks)

    def find(self, wanted: Sequence[Lookup], may_go: Callable[[], bool]) -> dict[str, Found] | None:
        """Show the oldest of each."""
        if not may_go():
            return None
        self._answers()
        with self._lock:
            found = {}
            for lookup in wanted:
                self.looks[lookup.reference_id] = self.now()
                for task in self.there(lookup.reference_id)[:1]:
                    found[task.reference_id] = _found(task)
            return found

    def twins(self, reference_ids: Iterable[str], may_go: Callable[[], bool]) -> dict[str, Twins] | None:
        """Remove all but one of each that nobody has worked on."""
        if not may_go():
            return None
        self._answers()
        found = {}
        with self._lock:
            self.looked_again.append(self.now())
            for name in reference_ids:
                there = sorted(self.there(name), key=lambda task: (not task.is_worked_on, task.number))
                gone = [task for task in there[1:] if not task.is_worked_on]
                self.tasks = [task for task in self.tasks if task not in gone]
                self.deleted += [task.number for task in gone]
                left = tuple(str(task.number) for task in there[1:] if task.is_worked_on)
                if there:
                    found[name] = Twins(_found(there[0]), tuple(str(task.number) for task in gone), left)
        return found

    def _answers(self) -> None:
        if self.is_away:
            raise TryLater("away", code="http-502", is_outage=True)

    def check_access(self) -> Project:
        """Let everybody in."""
        return Project(("p",), (BATCH,))

    def use_key(self, api_key: str) -> None:
        """Take any."""

    def group(self, name: str) -> str:
        """Know one batch."""
        return BATCH.id

    def listed(self, may_go: Callable[[], bool] = lambda: True) -> Iterator[tuple[Batch, Sequence[Found]]]:
        """Show all there is."""
        if may_go():
            with self._lock:
                self._arrive()
                yield BATCH, [_found(task) for task in self.tasks]

    def completed(self, awaited: Awaited, ask: Ask) -> Iterator[Sequence[SentJob]]:
        """Show none."""
        yield from ()

    def skipped(self, awaited: Awaited, ask: Ask) -> Iterator[Sequence[SentJob]]:
        """Show none."""
        yield from ()

    def result(self, job_id: str, ask: Ask) -> Fetch:
        """Have none."""
        raise TryLater("none yet", code="result")

    def server_time(self) -> float | None:
        """Tell none."""
        return None

    def is_outage(self, code: str) -> bool:
        """Say by the code."""
        return code == "http-502"

    def close(self) -> None:
        """Do nothing: there are no connections."""

    def most(self) -> dict[str, int]:
        """Return how often each id is there that is there more than once."""
        counts: defaultdict[str, int] = defaultdict(int)
        for name in self.names():
            counts[name] += 1
        return {name: count for name, count in counts.items() if count > 1}


def _found(task: Task) -> Found:
    return Found(str(task.number), task.reference_id, task.frames, None, BATCH.id)
