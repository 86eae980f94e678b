"""What the tests of the running agent share: real images, settings, a service in a thread or as a process."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import random
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from PIL import Image

from agent.host.clock import utc_now
from agent.ledger.store import Ledger
from agent.sandbox import Sandbox
from agent.service.loop import Service
from agent.settings import load
from tests.forked import template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agent.sandbox.server import Answer, Request
    from agent.settings.settings import Settings

T = TypeVar("T")
KEY = "sandbox-key"
SELDOM_SECONDS = 0.05


def eventually(condition: Callable[[], T], seconds: float = 60.0, every: float = 0.01) -> T:
    """Return what `condition` gives as soon as it is true; fail after `seconds`.

    It is asked less often the longer it takes, so that who waits takes nothing from who is waited for.
    """
    begun = time.monotonic()
    while not (value := condition()):
        waited = time.monotonic() - begun
        assert waited < seconds, f"not within {seconds:g} s: {condition()!r}"
        time.sleep(max(every, min(waited / 20, SELDOM_SECONDS)))
    return value


def image(seed: int = 0, *, size: tuple[int, int] = (16, 12), form: str = "JPEG") -> bytes:
    """Return a real, whole image whose content depends on `seed`."""
    rng = random.Random(seed)
    buffer = io.BytesIO()
    Image.frombytes("RGB", size, rng.randbytes(size[0] * size[1] * 3)).save(buffer, form)
    return buffer.getvalue()


def write(path: Path, content: bytes) -> Path:
    """Write a file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def await_tick(outside: Path, since_ns: int) -> None:
    """Wait until a file that is written gets a later time than `since_ns`: a kernel before 6.13 stamps by its tick.

    `outside` is a file of the same file system that the test does not look at.
    """
    eventually(lambda: write(outside, b"x").stat().st_ctime_ns > since_ns)


def frames(folder: Path, count: int, *, seed: int, first: int = 1) -> list[Path]:
    """Write `frame_1.jpg` … into a folder."""
    return [
        write(folder / f"frame_{number}.jpg", image(seed * 1000 + number)) for number in range(first, first + count)
    ]


@dataclass(frozen=True, slots=True)
class Receipt:
    """A request to create a job, as it came; `at` is by the monotonic clock, which all processes share."""

    at: float
    reference_id: str
    path: str
    names: tuple[str, ...]


class Playment(Sandbox):
    """The sandbox, which also keeps when each request for a job came, before it answers."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"rng": random.Random(1), "api_key": KEY, **options})
        self.receipts: list[Receipt] = []

    def _call(self, call: str, request: Request) -> Answer:
        if call == "create_job":
            self.receipts.append(_receipt(request.body))
        return super()._call(call, request)

    def paths(self) -> list[str]:
        """Return the path of every job there is, sorted; a path that is there twice was sent twice."""
        return sorted(job.reference_id.rpartition("~")[0] for job in self.jobs)

    def receipt(self, path: str) -> Receipt:
        """Return the one request that came for a path."""
        (receipt,) = [receipt for receipt in self.receipts if receipt.path == path]
        return receipt


def _receipt(body: bytes) -> Receipt:
    at = time.monotonic()
    job = json.loads(body)
    video = job["data"].get("video_data")
    names = tuple(frame["frame_id"] for frame in video["frames"]) if video else ()
    return Receipt(at, job["reference_id"], job["reference_id"].rpartition("~")[0], names)


def environ(place: Path, playment_url: str, **changed: str) -> dict[str, str]:
    """Return settings for an agent that watches `place/inbox`, which is made, with small settle times and no probe."""
    inbox = place / "inbox"
    inbox.mkdir(exist_ok=True)
    return {
        "PLAYMENT_API_KEY": KEY,
        "PLAYMENT_PROJECT_ID": "p1",
        "PLAYMENT_TAG": "boxes",
        "PLAYMENT_BASE_URL": playment_url,
        "WATCH_DIR": str(inbox),
        "WATCH_MODE": "events",
        "WATCH_RESCAN_SECONDS": "3600",
        "SETTLE_SECONDS": "0.2",
        "SEQUENCE_SETTLE_SECONDS": "1",
        "PUBLISH_TO": "http://127.0.0.1:9/",
        "PUBLISH_PROBE": "off",
        "LEDGER_PATH": str(place / "ledger.db"),
        **changed,
    }


def settings(place: Path, playment_url: str, **changed: str) -> Settings:
    """Return the same as `Settings`."""
    return load.load(environ(place, playment_url, **changed), place, None)


class Agent:
    """The real service in a thread, from the first full scan on until the block ends."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.inbox = settings.watch_dir
        self.code: int | None = None
        self._service = Service(settings)
        self._thread = threading.Thread(target=self._run, name="service")
        self._failure: BaseException | None = None
        self._last_start = self.value("started_at")

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            eventually(lambda: self._failure or self._has_scanned())
            assert self._failure is None
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> int | None:
        """Stop as SIGTERM does, and return the exit code."""
        self._service.stop()
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        return self.code

    def _run(self) -> None:
        try:
            self.code = self._service.run()
        except BaseException as error:  # noqa: BLE001 (it is the test's)
            self._failure = error

    def _has_scanned(self) -> bool:
        with contextlib.suppress(sqlite3.OperationalError):
            started = self.value("started_at")
            return started != self._last_start and self.value("last_scan_at") >= started
        return False

    def value(self, key: str) -> str:
        """Return a value of the ledger's `agent` table, '' where there is none."""
        if not self.settings.ledger_path.exists():
            return ""
        found = query(self.settings.ledger_path, "select value from agent where key = ?", key)
        return str(found[0]["value"]) if found else ""

    def rows(self, path: str) -> list[dict[str, Any]]:
        """Return the ledger's rows of a path, oldest first."""
        return rows(self.settings.ledger_path, path)

    def states(self, path: str) -> list[str]:
        """Return the states of a path's rows, oldest first."""
        return [row["state"] for row in self.rows(path)]

    def becomes(self, path: str, *states: str, seconds: float = 60.0) -> list[dict[str, Any]]:
        """Wait until the rows of a path have these states, and return them; fail after `seconds`."""
        eventually(lambda: self.states(path) == list(states), seconds)
        return self.rows(path)

    def rests(self) -> None:
        """Wait until nothing waits: no unit settles, is to be sent or is being sent."""
        waiting = "select 1 from jobs where state in ('settling', 'pending', 'submitting')"
        eventually(lambda: not query(self.settings.ledger_path, waiting))


def query(ledger: Path, sql: str, *values: object) -> list[dict[str, Any]]:
    """Read a ledger as a person does, beside the running agent."""
    with contextlib.closing(sqlite3.connect(f"{ledger.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(sql, values)]


def rows(ledger: Path, path: str) -> list[dict[str, Any]]:
    """Return a ledger's rows of a path, oldest first."""
    return query(ledger, "select * from jobs where path = ? order by id", path)


def used_ledger(place: Path) -> Path:
    """Make the ledger of `environ` in such a way that it is not new: nothing is asked before anything is sent."""
    path = place / "ledger.db"
    with contextlib.closing(Ledger(path, utc_now)) as ledger:
        ledger.put(past="known")
    return path


def children(pid: int) -> list[int]:
    """Return the processes that the threads of a process have started (proc(5), children)."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for children in tasks for child in children.read_text(encoding="ascii").split()]


def bytes_read(*pids: int) -> int:
    """Return how many bytes processes have read by read(2) and the like (proc(5), rchar of io)."""
    total = 0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{pid}/io").read_text(encoding="ascii").split()
            total += int(fields[fields.index("rchar:") + 1])
    return total


def run(command: Sequence[str], *, environ: dict[str, str], cwd: Path | str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(
        command, env={**os.environ, **environ}, cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )


def command_lines() -> list[str]:
    """Return the commands of this machine's processes, with spaces between their arguments (proc(5), cmdline)."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            found.append(path.read_text(errors="replace").replace("\0", " "))
    return found


def command(*arguments: str, environ: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of the agent to its end: as a fork, where that begins as a new interpreter would."""
    forks, surroundings = template(), {**os.environ, **environ}
    if forks.can_run(surroundings):
        return forks.run(arguments, environ=surroundings, cwd=cwd, seconds=60)
    return run([sys.executable, "-m", "agent", *arguments], environ=environ, cwd=cwd)


def on_terminal(*arguments: str, answer: str, environ: dict[str, str], cwd: Path) -> tuple[int, str]:
    """Run a command of the agent on a terminal, where `answer` is typed; return its exit code and what is shown."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "agent", *arguments],
        env={**os.environ, **environ},
        cwd=cwd,
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.STDOUT,
    ) as asked:
        os.close(theirs)
        os.write(ours, answer.encode())
        told = b""
        with contextlib.suppress(OSError):  # the terminal's other side is closed
            while piece := os.read(ours, 1000):
                told += piece
    os.close(ours)
    return asked.returncode, told.decode()


@contextlib.contextmanager
def process(
    *arguments: str, environ: dict[str, str], cwd: Path, driver: Path | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run a command of the agent beside the test, its log in `cwd/agent.log`; killed where it outlives the block.

    `driver` is a script that runs the agent otherwise than it is.
    """
    program = ["-m", "agent"] if driver is None else [str(driver)]
    with (
        open(cwd / "agent.log", "a", encoding="utf-8") as log,
        subprocess.Popen(
            [sys.executable, *program, *arguments],
            env={**os.environ, **environ},
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as running,
    ):
        try:
            yield running
        finally:
            if running.poll() is None:
                running.kill()
            running.wait()
