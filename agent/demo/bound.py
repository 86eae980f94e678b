"""Becomes another program that ends when who started it ends, however that is: `bound.py PID PROGRAM ARGUMENT …`.

It does so when its standard input tells it to: who is stopped while it starts this knows nothing of it, and cannot end
it. It imports nothing of ours, and is run as a file by `children`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that the kernel sends to a process whose parent has ended; it stands over an exec."""


def main(parent: str, *command: str) -> None:
    """Bind this process to its parent, by that one's id, and become the command, with an empty standard input."""
    with contextlib.suppress(OSError, AttributeError):  # a C library without it
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == int(parent) and os.read(0, 1):  # else it has ended before it could be asked for
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.execv(command[0], command)  # noqa: S606 - the program that `children` names


if __name__ == "__main__":
    main(*sys.argv[1:])
