"""The agent as a process of its own: started, stopped and killed, and what is seen of it from outside."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Self

from tests.support import eventually, query

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

START_SECONDS = 60.0
STOP_SECONDS = 30.0
POWERLESS = ("setpriv", "--pdeathsig=KILL", "--bounding-set=-dac_override,-dac_read_search")
"""The start of a command that runs another which may not read what its rights forbid, though it be root, and which does
not outlive us."""


class Ended(Exception):
    """The agent has ended, and nobody told it to; or it did not start or stop as it should."""


class AgentProcess:
    """`playment-agent run`; its log is `place/agent.log`. Killed at the end of the block."""

    def __init__(self, place: Path, ledger: Path, environ: Mapping[str, str]) -> None:
        self.ledger = ledger
        self._place = place
        self._environ = environ
        self._log = place / "agent.log"
        self._lines_read_to = 0
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.kill()

    def start(self) -> None:
        """Start it, and wait until it has written that it runs: from then on it obeys signals."""
        self.spawn()
        self._await_run()

    def _await_run(self) -> None:
        try:
            eventually(self._runs, START_SECONDS)
        except AssertionError:
            raise Ended(f"it does not start:\n{self.said()}") from None

    def spawn(self) -> None:
        """Start it, whatever becomes of it."""
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                [*POWERLESS, sys.executable, "-m", "agent", "run"],
                env={**os.environ, **self._environ},
                cwd=self._place,
                stderr=log,
            )

    def may_give_up(self, seconds: float) -> None:
        """Let it live for so long, or end."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def start_unless_it_runs(self) -> None:
        """Do what a person does, or systemd: start what gives up; wait until it runs."""
        eventually(lambda: self._process.poll() is not None or self._says_so(), START_SECONDS)
        if self._process.poll() is not None:
            self.spawn()
        self._await_run()

    def _says_so(self) -> bool:
        return self.value("pid") == str(self._process.pid)

    def _runs(self) -> bool:
        self.tend()
        return self._says_so()

    def stop(self) -> None:
        """Stop it as systemd does."""
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise Ended(f"it does not stop within {STOP_SECONDS:g} s:\n{self.said()}") from None
        if code != 0:
            raise Ended(f"it stopped with {code}:\n{self.said()}")

    def kill(self) -> None:
        """Kill it as the kernel does, where memory is short."""
        self._process.kill()
        self._process.wait()

    def tend(self) -> None:
        """Raise `Ended` where it has ended by itself."""
        code = self._process.poll()
        if code is not None:
            raise Ended(f"it ended by itself with {code}:\n{self.said()}")

    def ask(self, sql: str, *values: object) -> list[dict[str, Any]]:
        """Return the rows of a query of the ledger; none while it cannot be read."""
        with contextlib.suppress(sqlite3.OperationalError):
            return query(self.ledger, sql, *values)
        return []

    def value(self, key: str) -> str:
        """Return what the agent says of itself."""
        return "".join(row["value"] for row in self.ask("select value from agent where key = ?", key))

    def memory_mib(self) -> float:
        """Return how much memory it holds (proc(5), VmRSS of status)."""
        with open(f"/proc/{self._process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024

    def open_files(self) -> int:
        """Return how many files it has open (proc(5), fd)."""
        return len(os.listdir(f"/proc/{self._process.pid}/fd"))

    def wal_mib(self) -> float:
        """Return the size of the ledger's write-ahead log."""
        wal = self.ledger.with_name(f"{self.ledger.name}-wal")
        return wal.stat().st_size / 2**20 if wal.exists() else 0.0

    def new_log_lines(self) -> int:
        """Return how many lines it has logged since the last call."""
        with open(self._log, "rb") as log:
            log.seek(self._lines_read_to)
            lines = log.read().count(b"\n")
            self._lines_read_to = log.tell()
        return lines

    def defects(self) -> list[str]:
        """Return the lines of its log that tell of a defect of ours."""
        with open(self._log, encoding="utf-8", errors="replace") as log:
            return [line.rstrip() for line in log if "Traceback" in line or "defect" in line]

    def said(self) -> str:
        """Return the end of its log."""
        return self._log.read_text(errors="replace")[-6000:]
