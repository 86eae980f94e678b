"""Processes that look at files for the agent, so that it uses more than one core. I/O.

Reading 1,000 frames of 20 KB takes some 6,000 system calls, and looking whether they are as they were 1,000. Each gives
up the interpreter's lock and waits for it again: beside the threads that write and send, two threads read more slowly
than one, and one takes three times as long as alone (measured). Such a process only helps: what it cannot do is done
by the agent itself.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from agent.core.image_rules import USUAL_RULES
from agent.reading.processes.child import code

if TYPE_CHECKING:
    from agent.core.image_rules import ImageRules
    from agent.folder.scanner import Scanner
    from agent.reading.processes.child import Answer, Request

PIPE_BYTES = 256 * 1024
"""What a pipe holds: more than the two requests of a thread, so that writing one never waits for a process that waits
for that thread."""
ENDED = (EOFError, OSError, ValueError, pickle.UnpicklingError)
"""What waiting for the answer of a process that has ended raises; ValueError where we have ended it ourselves."""
END_SECONDS = 1.0
"""How long the end of one is waited for: in a system call that hangs (NFS) it cannot even be killed."""
PACKAGE = Path(__file__).parents[2]
CODE = code()
_LOCALE = ("LANG", "LC_", "PYTHON", "LD_")
"""Beginnings of the variables that it needs, to find its modules and to read names as we do."""


class WorkerProcess:
    """One process, and the pipes to it: once it is ready, each `ask` is followed by an `answer`, sooner or later.

    One thread may ask while another takes answers.
    """

    def __init__(self, scanner: Scanner, python: str = sys.executable, *, rules: ImageRules = USUAL_RULES) -> None:
        """Start it. Raises OSError."""
        environ = {name: value for name, value in os.environ.items() if name.startswith(_LOCALE)}
        environ["PYTHONPATH"] = os.pathsep.join([*filter(None, sys.path), os.fspath(PACKAGE.parent)])
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            # `-P`: nothing is imported from the current folder, which may be anyone's; `-S`: our path is its path.
            (python, "-P", "-S", "-m", "agent.reading.processes.child", CODE),
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pipesize=PIPE_BYTES,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._requests, self._answers = self._process.stdin, self._process.stdout
        self._is_ready = False
        self._asked = 0
        self._send((scanner, rules))

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_ready(self) -> bool:
        """Whether it has started, which takes a tenth of a second, or will not any more."""
        if not self._is_ready:
            answers = select.poll()
            answers.register(self._answers, select.POLLIN)
            if answers.poll(0):
                self._is_ready = True
                with contextlib.suppress(*ENDED):
                    pickle.load(self._answers)  # noqa: S301 - from a process of ours
        return self._is_ready

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended, by itself or by us."""
        return self._process.poll() is None and not self._answers.closed

    def ask(self, request: Request) -> int:
        """Send a request and return its number; that it has ended is found out by waiting for the answer."""
        self._asked += 1
        self._send((self._asked, request))
        return self._asked

    def answer(self, asked: int) -> Answer:
        """Wait for the answer to a request, by its number. Raises one of ENDED.

        Answers to requests before it, which nobody has waited for, are dropped. What is given up half-way (for want of
        memory, say) ends the process: what is left of it in the pipe cannot be told from the next answer.
        """
        number = 0
        answer: Answer = None
        try:
            while number < asked:
                number, answer = pickle.load(self._answers)  # noqa: S301 - from a process of ours
        except ENDED:
            raise
        except BaseException:
            self.end()
            raise
        if number != asked:
            raise EOFError(f"it has answered {number}, and was asked {asked}")
        return answer

    def kill(self) -> None:
        """Have it end whatever it does, for it only looks. May be called from any thread."""
        self._process.kill()

    def end(self) -> str:
        """Kill it and close its pipes; return how it has ended."""
        self.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)
        for pipe in (self._requests, self._answers):
            with contextlib.suppress(OSError):
                pipe.close()
        how = self._process.returncode
        return "it hangs" if how is None else f"exit code {how}" if how >= 0 else f"signal {-how}"

    def _send(self, what: object) -> None:
        try:
            pickle.dump(what, self._requests, pickle.HIGHEST_PROTOCOL)
            self._requests.flush()
        except (OSError, ValueError):  # it has ended; or it must, for it may have half a request
            self.kill()
        except BaseException:
            self.end()  # what was sent of it would spoil what is sent after it
            raise


class FingerprintProcess:
    """Tells how a folder looks now, by a process that runs between `start` and `rest`. Safe to use from any thread."""

    def __init__(self) -> None:
        self._process: WorkerProcess | None = None
        self._one_asks = threading.Lock()

    def start(self, scanner: Scanner, python: str = sys.executable) -> None:
        """Start the process, unless it runs. Raises OSError."""
        if self._process is None:
            self._process = WorkerProcess(scanner, python)

    def fingerprint(self, folder: str, ready_marker: str | None) -> bytes | None:
        """Return the `plan.fingerprint_of` its image files, or None where that is not to be had from the process now.

        None also while another thread asks: to look in one's own thread takes no longer than to wait.
        """
        if not self._one_asks.acquire(blocking=False):
            return None
        try:
            if self._process is None or not self._process.is_ready:
                return None
            answer = self._process.answer(self._process.ask((folder, ready_marker)))
        except ENDED:
            self._end()
            return None
        finally:
            self._one_asks.release()
        return answer if isinstance(answer, bytes) else None

    def kill(self) -> None:
        """Kill the process: who asks it now lets go of the lock."""
        process = self._process
        if process is not None:
            process.kill()

    def rest(self) -> None:
        """End the process."""
        self.kill()
        if self._one_asks.acquire(timeout=END_SECONDS):
            self._end()
            self._one_asks.release()

    def _end(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None
