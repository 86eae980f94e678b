"""Runs a person's command with a text for its input, and ends it, with all that it has started, when its time is up."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import subprocess
import threading
import time
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PR_SET_CHILD_SUBREAPER = 36
"""prctl(2): what is left alone below us becomes our child, however far it went away."""
PIECE = 65_536
KEPT_BYTES = 2_000
"""How much of what a command prints last is kept; all the rest is read and dropped."""
END_SECONDS = 5.0


def run_command(command: Sequence[str], text: bytes, limit: float) -> tuple[bool, str, bool]:
    """Return whether it ended well, what it said last where it did not, and whether that is not known.

    To be called in a process that does nothing else: all that runs below it is ended.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        running = subprocess.Popen(  # noqa: S603 (a person's own command)
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
    except OSError as error:
        return (False, f"{command[0]} cannot be run ({error.strerror})", False)
    assert running.stdin
    assert running.stdout
    heard = _Heard(running.stdout)
    threading.Thread(target=_write, args=(running.stdin, text), daemon=True).start()
    try:
        code = running.wait(limit)
    except subprocess.TimeoutExpired:
        return (False, f"{command[0]} did not end within {limit:g} s and was ended{heard.last()}", True)
    else:
        how = f"ended by signal {-code}" if code < 0 else f"exit code {code}"
        return (code == 0, "" if code == 0 else f"{command[0]}: {how}{heard.last()}", False)
    finally:
        if running.returncode is None:
            _end_all()


def _write(pipe: IO[bytes], text: bytes) -> None:
    with contextlib.suppress(OSError), pipe:  # who does not read it need not
        pipe.write(text)


class _Heard:
    """What a command prints: read as long as it does, so that it never waits, and the end of it kept."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._end = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def last(self) -> str:
        """Return its last line, as the end of a sentence."""
        self._thread.join(0.2)  # what it has started may keep the pipe open
        lines = [line.strip() for line in re.split(r"[\r\n]+", self._end.decode(errors="replace")) if line.strip()]
        return f": {lines[-1][-300:]}" if lines else ""

    def _read(self) -> None:
        while piece := os.read(self._pipe.fileno(), PIECE):
            self._end = (self._end + piece)[-KEPT_BYTES:]


def _end_all() -> None:
    """Kill all that runs below this process, and what that has started meanwhile; wait for the end of each."""
    until = time.monotonic() + END_SECONDS
    with contextlib.suppress(ChildProcessError):  # none is left: whoever loses its parent becomes ours
        while time.monotonic() < until:
            for pid in _below(os.getpid()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
            time.sleep(0.01)


def _below(root: int) -> list[int]:
    """Return the processes below one (proc(5), stat)."""
    children: dict[int, list[int]] = {}
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
            parent = int(file.read().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(name))
    found, left = [], [root]
    while left:
        below = children.get(left.pop(), [])
        found += below
        left += below
    return found
