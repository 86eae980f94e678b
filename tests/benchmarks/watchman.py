"""Watchman as a server of our own: what it reports of a folder, by its socket's JSON protocol."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.benchmarks.measure import Missing

if TYPE_CHECKING:
    from collections.abc import Mapping

INSTALL = "apt-get install watchman"
START_SECONDS = 20.0


def program() -> str:
    """Return the path of watchman. Raises Missing."""
    found = shutil.which("watchman")
    if found is None:
        raise Missing(INSTALL)
    return found


class Watchman:
    """A server that watches one folder, as a context manager; its state is apart from any other server's.

    `names` holds every file that it has reported since it had looked at all of the folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = str(root.resolve())
        self._stack = contextlib.ExitStack()
        self.names: set[str] = set()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            # Not below the output folder: a socket's path may have 107 bytes (unix(7)).
            state = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="watchman-")))
            files = [f"--{name}={state / name}" for name in ("statefile", "sockname", "logfile", "pidfile")]
            server = undo.enter_context(subprocess.Popen([program(), "--foreground", "--no-save-state", *files]))
            undo.callback(server.kill)
            connection = undo.enter_context(_connected(state / "sockname"))
            self._file = undo.enter_context(connection.makefile("rw", encoding="utf-8", errors="surrogateescape"))
            self._ask("watch", self._root)
            self._clock = self._ask("clock", self._root, {"sync_timeout": 60_000})["clock"]
            self._stack = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def look(self) -> int:
        """Take in what it has to report by now; return how many files that makes in all."""
        told = self._ask(
            "query",
            self._root,
            {"since": self._clock, "expression": ["type", "f"], "fields": ["name"], "sync_timeout": 0},
        )
        self._clock = told["clock"]
        self.names.update(told["files"])
        return len(self.names)

    def _ask(self, *command: object) -> Mapping[str, Any]:
        self._file.write(json.dumps(command) + "\n")
        self._file.flush()
        answer: dict[str, Any] = json.loads(self._file.readline())
        if "error" in answer:
            raise RuntimeError(f"watchman: {answer['error']}")
        return answer


def _connected(path: Path) -> socket.socket:
    deadline = time.monotonic() + START_SECONDS
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return connection
