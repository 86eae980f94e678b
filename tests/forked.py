"""Commands of the agent as forks of an interpreter that has imported it: starting one anew costs 0.7 s of a core.

A fork is a process of its own, and runs what `python -m agent` runs, from its first line on. What the loader and the
interpreter do before that it does not show: where a test changes a variable that they read, and where an agent is
measured, killed or stopped (`support.process`, `faults/watching.py`), one is started anew.
"""

from __future__ import annotations

import functools
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[1]
LONGEST_ORDER = 2**17
READ_BEFORE = ("LANG", "LC_", "LD_", "PYTHON", "TZ")
"""How the variables begin that are read before a line of ours runs."""


class Template:
    """An interpreter that waits with the agent imported, until the process ends that has started it."""

    def __init__(self) -> None:
        self._begin = dict(os.environ)
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forked", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )

    def can_run(self, environ: Mapping[str, str]) -> bool:
        """Tell whether an interpreter that is started with these variables would begin as this one did."""
        names = {name for name in environ.keys() | self._begin.keys() if name.startswith(READ_BEFORE)}
        return all(environ.get(name) == self._begin.get(name) for name in names)

    def run(
        self, arguments: Sequence[str], *, environ: Mapping[str, str], cwd: Path | str, seconds: float
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; any number of threads may. Raises TimeoutExpired after so many seconds."""
        order = {"arguments": arguments, "environ": dict(environ), "cwd": str(cwd), "umask": _umask()}
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            with theirs:
                files = [out.fileno(), err.fileno(), theirs.fileno()]
                socket.send_fds(self._orders, [json.dumps(order).encode()], files)
            pid = int(ours.recv(100))
            ours.settimeout(seconds)
            try:
                code = int(ours.recv(100))
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(list(arguments), seconds) from None
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(list(arguments), code, out.read(), err.read())


@functools.cache
def template() -> Template:
    """Return the one of this process."""
    return Template()


def _umask() -> int:
    os.umask(mask := os.umask(0))
    return mask


def _serve(orders: socket.socket) -> bool:
    """Fork for each order: one process runs it, one tells how that ended. Return True in the one that is to run."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who tell
    while True:
        message, files, *_ = socket.recv_fds(orders, LONGEST_ORDER, 3)
        if not message:
            return False
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            orders.close()
            return _take(json.loads(message), *files)
        for file in files:
            os.close(file)


def _take(order: dict[str, Any], out: int, err: int, told: int) -> bool:
    """Become the process that an order asks for, or stay beside it until it has ended."""
    teller = socket.socket(fileno=told)
    if pid := os.fork():
        teller.send(str(pid).encode())
        _, status = os.waitpid(pid, 0)
        teller.send(str(os.waitstatus_to_exitcode(status)).encode())
        return False
    teller.close()
    for file, place in ((out, 1), (err, 2)):
        os.dup2(file, place)
        os.close(file)
    os.umask(order["umask"])
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["environ"])
    sys.argv = ["agent", *order["arguments"]]
    sys.path[0] = os.getcwd()
    return True


if __name__ == "__main__":
    from agent.commands import check, run, status  # noqa: F401 (what all forks share)

    gc.freeze()  # else each copies, to look through it at its end, what it shares
    with socket.socket(fileno=int(sys.argv[1])) as orders:
        is_command = _serve(orders)
    if is_command:
        runpy.run_module("agent", run_name="__main__", alter_sys=True)
