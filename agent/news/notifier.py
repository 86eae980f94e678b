"""Hands messages on by a child process of its own: what notifies is loaded there, hangs there, and ends there."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from agent.model.text import bounded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LIMIT_SECONDS = 60.0
"""How long a message may take: then the command, or Apprise, is ended, with all that they have started."""
GRACE_SECONDS = 10.0
"""How long the child itself may take beyond that."""
STOP_SECONDS = 0.5
PACKAGE = Path(__file__).parents[1]


class Outcome(NamedTuple):
    """Whether a message was told, and why not, or not to all; `unknown`: it may have been, all the same."""

    told: bool
    why: str = ""
    unknown: bool = False


class Notifier:
    """Tells by the addresses of `urls`, as Apprise takes them, or else by a `command`, in such an `environ`.

    For one thread; `stop` is anybody's.
    """

    def __init__(
        self, urls: str, command: Sequence[str], environ: Mapping[str, str], limit: float = LIMIT_SECONDS
    ) -> None:
        self._asked = {"urls": urls, "command": list(command), "limit": limit}
        # What is ours is found as we were; the command gets the path that we were given.
        self._asked["pythonpath"] = environ.get("PYTHONPATH")
        ours = os.pathsep.join([*filter(None, sys.path), os.fspath(PACKAGE.parent)])
        self._environ = {**environ, "PYTHONPATH": ours}
        self._limit = limit
        self._lock = Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def tell(self, message: Mapping[str, Any]) -> Outcome:
        """Hand a message on, and wait until it is told, or cannot be."""
        return self._ask({"message": message})

    def check(self) -> Outcome:
        """Look whether it could be told, sending nothing."""
        return self._ask({"message": None})

    def stop(self) -> None:
        """End what is under way: its outcome is not known then."""
        with self._lock:
            self._stopped = True
            if self._child is not None:
                self._child.terminate()

    def _ask(self, asked: Mapping[str, Any]) -> Outcome:
        text = json.dumps({**self._asked, **asked}).encode()
        try:
            with self._lock:
                if self._stopped:
                    return Outcome(told=False, why="the agent is stopping")
                child = self._child = subprocess.Popen(
                    # `-P`: nothing is imported from the current folder, which may be anyone's. What is secret goes by
                    # the pipe: arguments and environments can be read by others.
                    (sys.executable, "-P", "-m", "agent.news.tell"),
                    env=self._environ,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
        except OSError as error:
            return Outcome(told=False, why=f"no process could be started ({error.strerror})")
        try:
            answer, _ = child.communicate(text, self._limit + GRACE_SECONDS)
            return _outcome(answer)
        except subprocess.TimeoutExpired:
            return Outcome(told=False, why=f"it took longer than {self._limit:g} s", unknown=True)
        finally:
            with self._lock:
                self._child = None
            _end(child)


def _outcome(answer: bytes) -> Outcome:
    try:
        told, why, unknown = json.loads(answer)
    except ValueError:
        return Outcome(told=False, why="what tells them has ended without a word", unknown=True)
    return Outcome(bool(told), bounded(str(why)), bool(unknown))


def _end(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        if child.poll() is None:
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(STOP_SECONDS)
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
