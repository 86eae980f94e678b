"""Fetches results round by round, in a thread of its own beside the loop: it never holds up sending or noticing."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from agent.errors import AgentError, AlreadyRunning
from agent.host.workers import DEFECT

if TYPE_CHECKING:
    from agent.results.fetcher import ResultsFetcher


log = logging.getLogger(__package__)


END_SECONDS = 0.5
"""How long a stop waits for results: what is cut off is fetched after the next start."""


class ResultsPoller:
    """Does a round of `results` every `seconds`, from `start` until `close`."""

    def __init__(self, results: ResultsFetcher, seconds: float) -> None:
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
            except (AgentError, OSError) as error:
                log.warning("no results for now, trying again in %g s: %s", self._seconds, error)
            except Exception:
                log.exception(DEFECT)
            self._stopping.wait(self._seconds)

    def _round(self) -> None:
        done = self._results.round()
        if done.completed or done.fetched or done.failed:
            log.info("completed: %d, results fetched: %d, failed: %d", done.completed, done.fetched, len(done.failed))
