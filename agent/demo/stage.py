"""Sets up the demo's folder, servers and agent, plays the script, and reads from the ledger how it goes."""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from agent.core.names import Filters
from agent.core.states import AT_TARGET, WAITING
from agent.demo import store
from agent.demo.files import FileServer
from agent.errors import AgentError, LedgerRefused, LedgerUnavailable
from agent.folder.scanner import Scanner
from agent.host.logs import TextFormatter
from agent.ledger.reads import Reads
from agent.sandbox import Sandbox
from agent.service.loop import Service
from agent.settings import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from agent.demo.script import Drop
    from agent.sandbox.state import SandboxJob
    from agent.settings.settings import Settings

START_SECONDS = 20.0
PLAY_SECONDS = 20.0
"""After which the demo ends whatever is missing; on a machine that is not busy it takes ten."""
LOOK_SECONDS = 0.08
API_KEY = "demo-key"


@dataclass(frozen=True, slots=True)
class Look:
    """How it stands `at` so many seconds after the start: the ledger's jobs, and the events since the last look."""

    at: float
    jobs: Sequence[Mapping[str, Any]]
    events: Sequence[Mapping[str, Any]]


class Stage:
    """The production agent at work on `folder`/inbox, as a context manager; `close` may come early.

    The settings come from `folder`/demo.env alone, never from the environment. Log lines go to `folder`/demo.log.
    With `s3` the files are uploaded to an S3 server on this machine, else served where they lie. Where the sandbox has
    jobs annotated (`complete_after` so many seconds), their results come into the folder `results`. There is none where
    `target` holds the settings of who else takes the jobs.
    Raises AgentError where the agent, or that server, cannot start.
    """

    def __init__(
        self,
        folder: Path,
        *,
        s3: bool = False,
        complete_after: float | None = None,
        target: Mapping[str, str] | None = None,
    ) -> None:
        self.inbox = folder / "inbox"
        self.outside = folder / "outside"
        self.ledger = folder / "ledger.db"
        self.env_file = folder / "demo.env"
        self.log = folder / "demo.log"
        self.folder = folder
        self.results = None if complete_after is None else folder / "results"
        self._complete_after = complete_after
        self._s3 = s3
        self._target = target
        self._sandbox: Sandbox | None = None
        self._stack = contextlib.ExitStack()
        self._running = contextlib.ExitStack()
        self._failure: Exception | None = None
        self._seen = 0

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.inbox.mkdir()
            self.outside.mkdir()
            stack.enter_context(_logging_to(self.log))
            self._settings = self._written(self._taking(stack) if self._target is None else self._target, stack)
            stack.enter_context(self._running)
            self.start_agent()
            self._reads = stack.enter_context(Reads.open(self.ledger))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the agent, then the servers; a second call does nothing."""
        self._stack.close()

    @property
    def sandbox_url(self) -> str:
        """The sandbox Playment's base URL, '' where there is none."""
        return self._sandbox.url if self._sandbox else ""

    @property
    def received(self) -> list[SandboxJob]:
        """The sandbox's jobs, in order of creation."""
        return self._sandbox.jobs if self._sandbox else []

    def start_agent(self) -> None:
        """Start the agent, at first or once more; it watches the folder then. Raises what it dies of."""
        service = Service(self._settings)
        self._agent = threading.Thread(target=self._run, args=(service,), name="agent")
        self._agent.start()
        self._running.callback(self._agent.join)
        self._running.callback(service.stop)
        self._await_start()

    def stop_agent(self) -> None:
        """Stop the agent; the servers go on."""
        self._running.close()

    def look_after_agent(self) -> None:
        """Raise the error that the agent died of; nothing where it lives."""
        if self._failure is not None:
            raise self._failure

    def play(
        self,
        drops: Sequence[Drop],
        units: int,
        tell: Callable[[float, Drop], None],
        show: Callable[[Look], None],
        seconds: float = PLAY_SECONDS,
    ) -> None:
        """Make the drops at their times, telling of each and showing how it goes, until all `units` are at rest.

        Returns early where the agent has died, and after so many seconds. Raises the error that the agent died of.
        """
        started = time.monotonic()
        waiting = list(drops)
        while (at := time.monotonic() - started) < seconds and self._agent.is_alive():
            while waiting and waiting[0].at <= at:
                drop = waiting.pop(0)
                drop.do()
                tell(at, drop)
            look = self._look(at)
            show(look)
            if not waiting and len(look.jobs) >= units and all(map(self._is_at_rest, look.jobs)):
                break
            time.sleep(LOOK_SECONDS)
        self.look_after_agent()

    def _is_at_rest(self, job: Mapping[str, Any]) -> bool:
        """Tell whether nothing more is to become of a job; where results are wanted, they must be here."""
        if self.results is not None and job["state"] in AT_TARGET:
            return job["result_path"] is not None
        return job["state"] not in WAITING

    def annotations(self) -> list[Path] | None:
        """Return the results that are here, None where there are to be none."""
        return None if self.results is None else sorted(self.results.rglob("*.json"))

    def rows(self) -> list[dict[str, Any]]:
        """Return the ledger's jobs as they are now, also after the end."""
        with Reads.open(self.ledger) as reads:
            return reads.jobs()

    def status(self) -> list[dict[str, Any]]:
        """Return what the ledger's view `status` says."""
        with Reads.open(self.ledger) as reads:
            return reads.status()

    def sources(self) -> list[str]:
        """Return where the ledger says that the frames of the first jobs were published."""
        with Reads.open(self.ledger) as reads:
            return reads.sources(3)

    def _publishing(self, stack: contextlib.ExitStack) -> dict[str, str]:
        """Start the server that publishes the files, and return the settings for it."""
        if not self._s3:
            files = stack.enter_context(FileServer(Scanner(self.inbox, Filters.of(()))))
            return {"PUBLISH_TO": files.url}
        server = stack.enter_context(store.Store(self.folder / "store"))
        return {
            "PUBLISH_TO": f"s3://{store.BUCKET}/demo",
            "PUBLISH_ENDPOINT": server.url,
            "AWS_ACCESS_KEY_ID": store.ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": store.SECRET_KEY,
        }

    def _taking(self, stack: contextlib.ExitStack) -> dict[str, str]:
        """Start the sandbox, and return the settings for it."""
        # A demo's job ids are no secrets.
        self._sandbox = stack.enter_context(Sandbox(rng=random.Random(), api_key=API_KEY, fetch=True))  # noqa: S311
        self._sandbox.complete_after = self._complete_after
        return {
            "PLAYMENT_API_KEY": API_KEY,
            "PLAYMENT_PROJECT_ID": "demo",
            "PLAYMENT_TAG": "cars",
            "PLAYMENT_BASE_URL": self._sandbox.url,
        }

    def _written(self, target: Mapping[str, str], stack: contextlib.ExitStack) -> Settings:
        """Write demo.env, start what publishes the files, and return the settings that are in the file."""
        written = {
            **target,
            "WATCH_DIR": str(self.inbox),
            **self._publishing(stack),
            "PUBLISH_PROBE": "all",
            "LEDGER_PATH": str(self.ledger),
            "SETTLE_SECONDS": "1",
            "SEQUENCE_SETTLE_SECONDS": "2",
        }
        if self.results is not None:
            self.results.mkdir()
            written |= {"RESULTS_DIR": str(self.results), "RESULTS_POLL_SECONDS": "0.5"}
        self.env_file.touch(mode=0o600)
        self.env_file.write_text("".join(f"{name}={_quoted(value)}\n" for name, value in written.items()), "utf-8")
        return load.load({}, self.folder, self.env_file)

    def _run(self, service: Service) -> None:
        try:
            service.run()
        except Exception as error:  # noqa: BLE001 - it belongs to the thread that plays the script
            self._failure = error

    def _await_start(self) -> None:
        """Wait until the folder is watched."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._agent.is_alive():
            if self._is_watching():
                return
            time.sleep(0.02)
        raise self._failure or AgentError(f"the agent did not start within {START_SECONDS:g} s: look into {self.log}")

    def _is_watching(self) -> bool:
        try:
            with Reads.open(self.ledger) as reads:
                return "watch_mode" in reads.agent()
        except (LedgerUnavailable, LedgerRefused):
            return False  # it is not there yet, or its tables are not: for a moment it is a file's header alone

    def _look(self, at: float) -> Look:
        events = self._reads.events_after(self._seen)
        self._seen = max((event["id"] for event in events), default=self._seen)
        return Look(at, self._reads.jobs(), events)


def _quoted(value: str) -> str:
    """Return a value as a file of settings holds it: between single quotes nothing but these two is escaped."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


@contextlib.contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """Send log lines to a file alone while the demo runs."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(TextFormatter())
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        handler.close()
