"""The real agent as a process of its own, for tests of what it notices: it is paused, so that rows stay `pending`."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Self

from agent.host.clock import utc_now
from agent.ledger.store import Ledger
from tests.support import environ, eventually, image, query

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

NAMESPACE = ("unshare", "--user", "--map-root-user")
"""The start of a command that runs another in a user namespace of its own, where it may do as root does."""

WHOLE = image(1, size=(4, 4))


def namespaces() -> bool:
    """Tell whether user namespaces can be made here."""
    return subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0


def picture(number: int) -> bytes:
    """Return a whole image unlike those of other numbers; made fast: bytes after the end are fine."""
    return WHOLE + number.to_bytes(4, "big")


class Watching:
    """`playment-agent run` on `place/inbox`, behind a `prefix` of other commands; its log is `place/agent.log`.

    The process that is measured and signalled is the agent itself, whatever stands before it.
    """

    def __init__(self, place: Path, *, prefix: Sequence[str] = (), **changed: str) -> None:
        self.place = place
        self._notify = place / "notify"
        self._environ = environ(place, "http://127.0.0.1:9", NOTIFY_SOCKET=str(self._notify), **changed)
        self._prefix = prefix
        self._stack = contextlib.ExitStack()
        self.inbox = place / "inbox"
        self.ledger = place / "ledger.db"
        self.log = place / "agent.log"
        self.statuses: list[str] = []

    def __enter__(self) -> Self:
        with contextlib.closing(Ledger(self.ledger, utc_now)) as ledger, ledger.transaction():
            ledger.put(paused="by the test")
        self._socket = self._stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self._socket.bind(str(self._notify))
        self._socket.setblocking(False)
        log = self._stack.enter_context(open(self.log, "ab"))
        self._process = self._stack.enter_context(
            subprocess.Popen(
                [*self._prefix, sys.executable, "-m", "agent", "run"],
                env={**os.environ, **self._environ},
                cwd=self.place,
                stderr=log,
            )
        )
        try:
            self.wait(lambda: self.value("last_scan_at"))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with self._stack:
            if self._process.poll() is None:
                os.kill(self.pid, signal.SIGKILL)
                self._process.wait()

    @property
    def pid(self) -> int:
        """The agent's own process id."""
        return int(self.value("pid")) if self._prefix else self._process.pid

    def stop(self) -> int:
        """Stop it as systemd does, and return the exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return self._process.wait(30)

    def wait(self, condition: Callable[[], Any], seconds: float = 60.0) -> Any:
        """Wait for something while the agent runs; tell its log where it does not come."""

        def come() -> Any:
            self.told()
            return self._process.poll() is not None or condition()

        try:
            return eventually(come, seconds, every=0.02)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.said()[-4000:]}") from error
        finally:
            assert self._process.poll() is None, self.said()

    def said(self) -> str:
        """Return all of its log."""
        return self.log.read_text()

    def times_said(self, words: str) -> int:
        """Count words in its log, but for what systemd was not told: while a test runs a command nobody reads that."""
        return sum(line.count(words) for line in self.said().splitlines() if "systemd was not told" not in line)

    def told(self) -> str:
        """Return the last STATUS that systemd was sent."""
        with contextlib.suppress(BlockingIOError):
            while True:
                message = self._socket.recv(10_000).decode()
                if message.startswith("STATUS="):
                    self.statuses.append(message.removeprefix("STATUS="))
        return self.statuses[-1] if self.statuses else ""

    def value(self, key: str) -> str:
        """Return a value of the ledger's `agent` table, '' where there is none."""
        with contextlib.suppress(sqlite3.OperationalError):
            for row in query(self.ledger, "select value from agent where key = ?", key):
                return str(row["value"])
        return ""

    def counts(self) -> dict[str, tuple[int, int]]:
        """Return the number of jobs and frames by state."""
        return {
            row["state"]: (row["jobs"], row["frames"])
            for row in query(self.ledger, "select * from counts")
            if row["jobs"]
        }

    def states(self) -> list[tuple[str, str]]:
        """Return the path and state of every job, by path."""
        return [(row["path"], row["state"]) for row in query(self.ledger, "select * from jobs order by path, id")]

    def events(self, path: str) -> list[str]:
        """Return what has happened to the jobs of a path."""
        sql = "select event from events join jobs on jobs.id = job where path = ? order by events.id"
        return [row["event"] for row in query(self.ledger, sql, path)]

    def day(self, path: str) -> str:
        """Return the day on which a path was first seen, by the agent's clock."""
        return str(query(self.ledger, "select first_seen_at from jobs where path = ?", path)[0]["first_seen_at"][:10])

    def files(self) -> list[str]:
        """Return the path of every file that is in a job, sorted."""
        return [row["path"] for row in query(self.ledger, "select path from frames order by path")]

    def peak_mib(self) -> float:
        """Return the most memory that the process has ever held, in MiB."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            found = re.search(r"VmHWM:\s+(\d+) kB", status.read())
        assert found
        return int(found[1]) / 1024

    def cpu_seconds(self) -> float:
        """Return the processor time that it has used, in seconds."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
