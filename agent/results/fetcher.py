"""Brings completed annotations home: which jobs are completed, then a file for each of them.

That a job is completed is written at once, so that a round that ends early goes on where it was.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from agent.core.retry import QUESTION
from agent.errors import AccessRefused, Interrupted, Refused, RemoteError, TryLater
from agent.host.workers import Workers
from agent.ledger import results
from agent.model.journal import about
from agent.results.files import OF_THIS_FILE

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from agent.ledger.reads import Reads
    from agent.ledger.results import Completed
    from agent.ledger.writer import LedgerWriter
    from agent.model.jobs import SentJob
    from agent.results.files import ResultFiles
    from agent.targets import Target
    from agent.targets.gate import Gate

log = logging.getLogger(__package__)

T = TypeVar("T")
FETCHERS = 4
AT_ONCE = 200


@dataclass(slots=True)
class Round:
    """What a round did: jobs that turned out completed, results written, and (path, reason) of those that were not.

    `lost` are (path, reason) of jobs that have failed at the target; `interrupted` says why it ended early, or is ''.
    """

    completed: int = 0
    fetched: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    lost: list[tuple[str, str]] = field(default_factory=list)
    interrupted: str = ""


class ResultsFetcher:
    """Does rounds. `reads` are the round's own; `delay` is the first wait in seconds after a failed fetch.

    `progress` is called with (done, of how many) results.
    """

    def __init__(
        self,
        target: Target,
        ledger: LedgerWriter,
        reads: Reads,
        gate: Gate,
        *,
        files: ResultFiles,
        delay: float,
        now: Callable[[], datetime],
        progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> None:
        self._target = target
        self._ledger = ledger
        self._reads = reads
        self._gate = gate
        self._files = files
        self._delay = delay
        self._now = now
        self._progress = progress
        self._stopping = threading.Event()
        self._workers = Workers("results", FETCHERS)

    def stop(self) -> None:
        """Have the round that is under way end with what is being fetched just now."""
        self._stopping.set()

    def close(self, seconds: float) -> bool:
        """Stop, and wait for the fetches under way, for `seconds` at most; return whether they have ended."""
        self.stop()
        return self._workers.close(seconds)

    def round(self, *, everything: bool = False, wait: bool = False) -> Round:
        """Ask how the submitted jobs stand, and fetch what is completed; with `everything` also what failed lately.

        Raises AlreadyRunning (not with `wait`), LedgerUnavailable, OSError, and RemoteError where the project cannot
        be asked at all.
        """
        done = Round()
        with self._files.lock(wait=wait):
            try:
                self._ask_all(done)
                self._ask_for_skipped()
                self._fetch_all(done, None if everything else self._now())
            except Interrupted:
                done.interrupted = self._gate.blocked or "stopped"
        return done

    # How the jobs stand

    def _ask_all(self, done: Round) -> None:
        for jobs in self._target.completed(self._reads, self._ask):
            over = self._ledger.call(partial(results.over, jobs=jobs))
            done.completed += over.completed
            done.lost += over.failed
            for path, reason in over.failed:
                log.warning("%s: %s", path, reason, extra=about(path))

    def _ask_for_skipped(self) -> None:
        """Show what an annotator has put aside: it may stay as it is for ever."""
        reason = f"an annotator has skipped it in {self._target.name}: nothing comes unless somebody takes it up again"
        skipped: list[SentJob] = []
        try:
            for jobs in self._target.skipped(self._reads, self._ask):
                skipped += jobs
                for path in self._ledger.call(partial(results.skip, jobs=jobs, reason=reason)):
                    log.warning("%s: %s", path, reason, extra=about(path))
        except (Refused, AccessRefused) as error:
            log.warning("not all that is skipped could be asked for: %s", error)
            return
        for path in self._ledger.call(partial(results.taken_up, skipped=skipped)):
            log.info("%s: it is skipped no more", path, extra=about(path))

    def _ask(self, call: Callable[[], T]) -> T:
        """Call the target, a few times where it fails passingly; obey what it asks for."""
        for left in range(QUESTION.tries, 0, -1):
            if self._stopping.is_set() or not self._gate.enter_to_read():
                raise Interrupted
            try:
                return call()
            except TryLater as error:
                if error.retry_after:
                    self._gate.hold(error.retry_after)
                if left == 1:
                    raise
                if not error.retry_after:
                    self._stopping.wait(QUESTION.seconds())
        raise AssertionError  # the last try has returned or raised

    # The files

    def _fetch_all(self, done: Round, now: datetime | None) -> None:
        total = self._reads.count_unfetched(now)
        after = -1
        trouble: BaseException | None = None
        while trouble is None and (jobs := self._reads.unfetched(now, after, AT_ONCE)):
            after = jobs[-1].id
            outcomes: queue.SimpleQueue[tuple[Completed, BaseException | None]] = queue.SimpleQueue()
            halt = threading.Event()
            for job in jobs:
                self._workers.submit(partial(self._fetch_one, job, halt, outcomes))
            for _ in jobs:
                job, error = outcomes.get()
                if error is None:
                    done.fetched += 1
                elif _is_the_jobs(error):
                    done.failed.append((job.path, self._failed(job, error)))
                elif trouble is None:  # nothing can be asked or written: the rest waits for the next round
                    trouble = error
                    halt.set()
                self._progress(done.fetched + len(done.failed), total)
        if trouble is not None:
            raise trouble

    def _failed(self, job: Completed, error: BaseException) -> str:
        reason = str(error) if isinstance(error, RemoteError) else f"it could not be written: {error}"
        code = error.code if isinstance(error, RemoteError) else "result"
        log.warning(
            "the result of %s could not be fetched: %s", job.path, reason, extra=about(job.path, job_id=job.job_id)
        )
        work = partial(results.not_fetched, job=job, reason=reason, code=code, delay=self._delay)
        self._ledger.call(work)
        return reason

    def _fetch_one(
        self, job: Completed, halt: threading.Event, outcomes: queue.SimpleQueue[tuple[Completed, BaseException | None]]
    ) -> None:
        try:
            self._fetch(job, halt)
        except BaseException as error:  # noqa: BLE001 (it is the round's, which raises what is not the job's)
            outcomes.put((job, error))
        else:
            outcomes.put((job, None))

    def _fetch(self, job: Completed, halt: threading.Event) -> None:
        if halt.is_set():
            raise Interrupted
        fetch = self._target.result(job.job_id, self._ask, job.image)
        path, other = self._ledger.call(partial(results.place_of, job=job))
        with self._files.temporary(path, job.job_id) as file:
            fetch(file)
            self._files.check(file)
            if self._stopping.is_set():  # the ledger may be closed by now: what it cannot hear of is not placed
                raise Interrupted
            if other is not None:
                kept = results.kept_path(path.removesuffix(".json"), other[1])
                self._files.keep(path, kept)
                self._write_sizes(other[0], kept, job.job_id)
            self._write_sizes(job.id, path, job.job_id)
            self._files.place(path, job.job_id, file)
        self._ledger.call(partial(results.fetched, job=job, path=path))

    def _write_sizes(self, job: int, path: str, name: str) -> None:
        """Write beside a result what its coordinates are of: a line of JSON for each frame, in order.

        Always from the ledger, which alone knows what job a file that is there is of.
        """
        beside, part = results.sizes_path(path), f"{name}.frames"
        first = 0
        with self._files.temporary(beside, part) as file:
            while sizes := self._ledger.call(partial(results.sizes_of, job=job, first=first)):
                file.write("".join(f"{json.dumps(size._asdict())}\n" for size in sizes).encode())
                first += len(sizes)
            self._files.place(beside, part, file)


def _is_the_jobs(error: BaseException) -> bool:
    """Tell whether a failure is about one result alone."""
    if isinstance(error, TryLater):
        return error.code == "result"
    if isinstance(error, OSError):
        return error.errno in OF_THIS_FILE
    return isinstance(error, RemoteError)
