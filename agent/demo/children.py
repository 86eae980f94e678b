"""Programs that the demo starts: they and what they start end with it, and what they say goes into a file. I/O."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

END_SECONDS = 5.0
"""How long one may take to end by itself."""
_BOUND = Path(__file__).with_name("bound.py")
_BEGIN = b"!"
"""What a program waits for that is bound to us: one of which a stop keeps us from taking note never begins."""


class Child:
    """A program within its `with` block, in a session of its own: a Ctrl+C at the terminal is for us alone.

    Its standard input is empty, and what it says is added to the file `log`.
    """

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], log: Path, folder: Path) -> None:
        self._command = command
        self._environ = environ
        self._log = log
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        theirs, ours = os.pipe()
        try:
            with open(theirs, "rb") as orders, open(ours, "wb") as told, self._log.open("ab") as log:
                self._process = subprocess.Popen(  # noqa: S603 - a program of ours, or one that we have installed
                    [sys.executable, "-I", "-S", str(_BOUND), str(os.getpid()), *self._command],
                    env=self._environ,
                    cwd=self._folder,
                    stdin=orders,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
                told.write(_BEGIN)
        except BaseException:
            if self._process is not None:
                self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        assert process
        if process.poll() is None:
            _kill(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(END_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End it at once, and whatever of its session is left."""
        assert self._process
        _kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    @property
    def exit_code(self) -> int | None:
        """How it ended, None as long as it runs."""
        assert self._process
        return self._process.poll()


def _kill(session: int, how: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(session, how)
