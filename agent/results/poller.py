"""Fetches results round by round, in a thread of its own beside the loop: it never holds up sending or noticing."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from typing import TYPE_CHECKING

from agent.errors import AgentError, AlreadyRunning
from agent.ledger.store import connect
from agent.results.fetcher import Results
from agent.results.files import ResultFiles
from agent.settings.parts import download_of, playment_of, utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from agent.ledger.writer import LedgerThread
    from agent.settings.settings import Settings
    from agent.targets.gate import Gate

log = logging.getLogger(__name__)


END_SECONDS = 0.5
"""How long a stop waits for results: what is cut off is fetched after the next start."""


@contextlib.contextmanager
def results_of(
    settings: Settings,
    folder: Path,
    ledger: LedgerThread,
    gate: Gate,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Iterator[Results]:
    """Give what does rounds into `folder`, with connections of its own."""
    with (
        contextlib.closing(playment_of(settings)) as playment,
        contextlib.closing(connect(settings.ledger_path, read_only=True)) as reads,
    ):
        results = Results(
            playment,
            ledger,
            reads,
            gate,
            files=ResultFiles(folder),
            download=download_of(settings),
            delay=settings.results_poll_seconds,
            now=utc_now,
            progress=progress,
        )
        try:
            yield results
        finally:
            results.close(END_SECONDS)


@contextlib.contextmanager
def collecting(settings: Settings, ledger: LedgerThread, gate: Gate) -> Iterator[None]:
    """Fetch results as long as the block runs, where RESULTS_DIR is set."""
    if settings.results_dir is None:
        yield
        return
    with results_of(settings, settings.results_dir, ledger, gate) as results:
        collector = Collector(results, settings.results_poll_seconds)
        collector.start()
        try:
            yield
        finally:
            collector.close(END_SECONDS)


class Collector:
    """Does a round of `results` every `seconds`, from `start` until `close`."""

    def __init__(self, results: Results, seconds: float) -> None:
        self._results = results
        self._seconds = seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="collect", daemon=True)

    def start(self) -> None:
        """Begin with a round now."""
        self._thread.start()

    def close(self, seconds: float) -> None:
        """End the round that is under way, for `seconds` at most."""
        self._stopping.set()
        self._results.stop()
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._round()
            except AlreadyRunning as error:
                log.info("%s", error)
            except (AgentError, OSError, sqlite3.Error) as error:
                log.warning("no results for now, trying again in %g s: %s", self._seconds, error)
            except Exception:
                log.exception("a defect in playment-agent; please report it")
            self._stopping.wait(self._seconds)

    def _round(self) -> None:
        done = self._results.round()
        if done.completed or done.fetched or done.failed:
            log.info("completed: %d, results fetched: %d, failed: %d", done.completed, done.fetched, len(done.failed))
