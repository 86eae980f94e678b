"""Places for a ledger that can be broken under a running agent: mounts of its own namespace, system calls that fail."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import eventually, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AGENT = (sys.executable, "-m", "agent")


def needs_root(what: str) -> None:
    """Skip, aloud, where the test may not mount or trace."""
    if os.geteuid() != 0:
        pytest.skip(f"needs root, to {what}")


def in_namespace(script: str, *command: str) -> list[str]:
    """Return a command that runs in a mount namespace of its own, after a shell script has changed the mounts there."""
    return ["unshare", "--mount", "--propagation", "private", "sh", "-ec", f'{script}; exec "$@"', "sh", *command]


@contextlib.contextmanager
def running(command: list[str], *, environ: dict[str, str], cwd: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command beside the test, its log in `cwd/agent.log`; killed where it outlives the block."""
    with (
        open(cwd / "agent.log", "ab") as log,
        subprocess.Popen(command, env={**os.environ, **environ}, cwd=cwd, stdout=log, stderr=log) as process,
    ):
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def query_in(pid: int, ledger: Path, sql: str) -> list[list[Any]]:
    """Read a ledger that only a process's own namespace shows; nothing where it cannot be read yet."""
    # SQLite resolves links: it would look for /proc/PID/root/… in our own namespace.
    program = (
        "import json, sqlite3, sys; "
        "print(json.dumps(sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True).execute(sys.argv[2]).fetchall()))"
    )
    told = run(["nsenter", "-t", str(pid), "-m", sys.executable, "-c", program, str(ledger), sql], environ={}, cwd="/")
    found: list[list[Any]] = json.loads(told.stdout) if told.returncode == 0 else []
    return found


@contextlib.contextmanager
def failing(pid: int, calls: str, error: str, log: Path) -> Iterator[None]:
    """Let system calls of a running process fail until the block ends."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("needs strace, to let system calls fail")
    with open(log, "wb") as told:
        tracer = subprocess.Popen(
            [strace, "-f", "-p", str(pid), "-e", f"trace={calls}", "-e", f"inject={calls}:error={error}"],
            stderr=told,
        )
        try:
            eventually(lambda: b"attached" in log.read_bytes())
            yield
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.wait(timeout=10)
