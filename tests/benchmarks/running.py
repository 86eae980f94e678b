"""The real agent as a process of its own, as systemd runs it, and what can be seen of it from outside."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from tests.support import bytes_read, children, environ

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOWHERE = "http://127.0.0.1:9"
SETTLES_NEVER = "86400"
UNTIL_SECONDS = 600.0
READY_SECONDS = 30.0
QUIET = 0.02
"""A share of one core that is next to nothing."""


class Running:
    """`playment-agent run`, from the moment it has told systemd that it is READY until the block ends.

    It watches `place/inbox` unless WATCH_DIR says otherwise; ledger and log are in `place`. `ready_at` is the time of
    READY by the monotonic clock: the first scan begins right after it. `python` runs it.
    """

    def __init__(self, place: Path, url: str = NOWHERE, *, python: str = sys.executable, **changed: str) -> None:
        self._place = place
        self._python = python
        self._environ = environ(place, url, **changed)
        self._stack = contextlib.ExitStack()
        self.inbox = place / "inbox"
        self.ready_at = 0.0

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            self._socket = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            self._socket.bind("")  # Linux chooses a name that is no path (unix(7), autobind): paths may be too long
            address = "@" + self._socket.getsockname()[1:].decode()
            log = undo.enter_context(open(self._place / "agent.log", "ab"))
            self._process = undo.enter_context(
                subprocess.Popen(
                    [self._python, "-m", "agent", "run"],
                    env={**os.environ, **self._environ, "NOTIFY_SOCKET": address},
                    cwd=self._place,
                    stderr=log,
                )
            )
            undo.callback(self._process.kill)
            self._await_ready()
            uri = f"{(self._place / 'ledger.db').absolute().as_uri()}?mode=ro"
            ledger = contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None))
            self._ledger = undo.enter_context(ledger)
            self._stack = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _await_ready(self) -> None:
        self._socket.settimeout(READY_SECONDS)
        try:
            while not self._socket.recv(10_000).startswith(b"READY=1"):
                pass
        except TimeoutError:
            raise RuntimeError(f"the agent did not start:\n{self.said()}") from None
        self.ready_at = time.monotonic()
        self._socket.setblocking(False)

    def stop(self) -> int:
        """Stop it as systemd does, and return the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(READY_SECONDS)

    def until(self, condition: Callable[[], Any], every: float = 0.02) -> float:
        """Wait for something, asking `every` so many seconds; return the monotonic time at which it was so."""
        deadline = time.monotonic() + UNTIL_SECONDS
        while not condition():
            self.tend()
            if time.monotonic() > deadline:
                raise RuntimeError(f"it did not come to it, {self.counts()}:\n{self.said()}")
            time.sleep(every)
        return time.monotonic()

    def tend(self) -> None:
        """Take its messages, as systemd does: unread ones would be an error to it. Raises where it has ended."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.recv(10_000)
        if self._process.poll() is not None:
            raise RuntimeError(f"the agent has ended:\n{self.said()}")

    def said(self) -> str:
        """Return the end of its log."""
        return (self._place / "agent.log").read_text()[-4000:]

    def ask(self, sql: str, *values: object) -> tuple[Any, ...]:
        """Return the first row of a query of the ledger."""
        row: tuple[Any, ...] = self._ledger.execute(sql, values).fetchone()
        return row

    def counts(self) -> dict[str, tuple[int, int]]:
        """Return (jobs, frames) by state."""
        return {row[0]: (row[1], row[2]) for row in self._ledger.execute("select state, jobs, frames from counts")}

    def jobs(self, state: str) -> int:
        """Return the number of jobs in a state."""
        return self.counts().get(state, (0, 0))[0]

    def has_scanned(self) -> bool:
        """Tell whether the first scan of this start is over: from then on it only watches."""
        values: dict[str, str] = dict(self._ledger.execute("select key, value from agent"))
        return values.get("last_scan_at", "") >= values["started_at"]

    def seconds_of_sending(self) -> float:
        """Return the time from the first unit's settling to the last one's acceptance, by the ledger."""
        first, last = self.ask("select min(settled_at), max(submitted_at) from jobs")
        return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()

    def cpu_seconds(self) -> float:
        """Return the user and system time that it has used."""
        return cpu_seconds(self._process.pid)

    def cpu_seconds_of_all(self) -> float:
        """Return the same of it and its processes that run."""
        return sum(map(cpu_seconds, (self._process.pid, *children(self._process.pid))))

    def share_of_core(self, seconds: float) -> float:
        """Return the processor time of the next so many seconds, as a share of one core."""
        before, started = self.cpu_seconds(), time.monotonic()
        self.until(lambda: time.monotonic() >= started + seconds, every=0.05)
        return (self.cpu_seconds() - before) / (time.monotonic() - started)

    def rests(self, seconds: float) -> None:
        """Wait until so many seconds go by in which it does next to nothing."""
        while self.share_of_core(seconds) > QUIET:
            pass

    def memory_mib(self, key: str) -> float:
        """Return a memory figure in MiB (proc(5), status: VmRSS now, VmHWM at its highest)."""
        return memory_mib(self._process.pid, key)

    def bytes_written(self) -> int:
        """Return how many bytes it has had the disk write (proc(5), io)."""
        with open(f"/proc/{self._process.pid}/io", encoding="ascii") as told:
            return next(int(line.split()[1]) for line in told if line.startswith("write_bytes"))

    def memory_of_all_mib(self, key: str) -> float:
        """Return a memory figure of it and its processes together, in MiB; pages that they share count for each."""
        return sum(memory_mib(pid, key) for pid in (self._process.pid, *self.children()))

    def children(self) -> list[int]:
        """Return the processes that it has."""
        return children(self._process.pid)

    def bytes_read(self) -> int:
        """Return how many bytes it and its processes have read, files or not."""
        return bytes_read(self._process.pid, *children(self._process.pid))


def cpu_seconds(pid: int) -> float:
    """Return the user and system time that a process has used (proc(5), fields 14 and 15 of stat)."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid: int, key: str) -> float:
    """Return a memory figure of a process in MiB (proc(5), status)."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(key)) / 1024
