"""One agent for each ledger and each watch folder: locks that end with their process. I/O."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from typing import TYPE_CHECKING, Self

from agent.errors import AlreadyRunning, FolderUnavailable, LedgerUnavailable

if TYPE_CHECKING:
    from pathlib import Path


class Lock:
    """A held `flock`. It dies with its process, so a crash leaves nothing behind that is in the way."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def identity(self) -> tuple[int, int] | None:
        """Return the (st_dev, st_ino) that what is locked has now; None where it cannot be told, or is let go of."""
        try:
            status = os.fstat(self._descriptor) if self._descriptor is not None else None
        except OSError:  # its server is away
            return None
        return (status.st_dev, status.st_ino) if status else None

    def release(self) -> None:
        """Let go of the lock; a second call does nothing."""
        if self._descriptor is not None:
            # Closing alone would not do while a child that was just forked still has a copy of the descriptor.
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def lock_file(path: Path) -> Lock:
    """Lock `path` (`<ledger>.lock`, made when missing, mode 0600) and write this process's id into it.

    The file stays after release: removing it would let two processes lock two files of one name.
    Raises AlreadyRunning, or LedgerUnavailable where the file cannot be made, locked or written.
    """
    try:
        with contextlib.ExitStack() as undo:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            undo.callback(os.close, descriptor)
            _flock(descriptor, f"The ledger of {path}")
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            undo.pop_all()
    except OSError as error:
        raise LedgerUnavailable(
            f"The lock {path} cannot be taken ({error.strerror}): its folder must be there, writable and not full."
        ) from error
    return Lock(descriptor)


def lock_folder(path: Path) -> Lock:
    """Lock the folder itself, so that two agents with two ledgers cannot watch it both; nothing is written into it.

    Raises AlreadyRunning, or FolderUnavailable where it cannot be opened or locked.
    """
    try:
        with contextlib.ExitStack() as undo:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            undo.callback(os.close, descriptor)
            _flock(descriptor, f"The folder {path}")
            undo.pop_all()
    except OSError as error:
        raise FolderUnavailable(f"The folder {path} cannot be locked ({error.strerror}).") from error
    return Lock(descriptor)


def _flock(descriptor: int, what: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = _holder(descriptor)
        who = f"the process with id {pid}" if pid else "another process"
        raise AlreadyRunning(
            f"{what} is in use by {who}. Stop that one first: there is one agent per ledger and per watch folder."
        ) from None


def _holder(descriptor: int) -> int | None:
    """Return the id of the process that holds the flock: from the kernel, else from the file, else None.

    proc(5), /proc/locks: `1: FLOCK ADVISORY WRITE pid major:minor:inode 0 EOF`, the device's numbers in hex. Some file
    systems (btrfs, overlay) have another device there than in `stat`, and no id is shown of another pid namespace.
    """
    status = os.fstat(descriptor)
    wanted = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    with open("/proc/locks", encoding="ascii") as locks:
        for line in locks:
            fields = line.split()
            if fields[1] == "FLOCK" and fields[5] == wanted and int(fields[4]) > 0:
                return int(fields[4])
    written = b"" if stat.S_ISDIR(status.st_mode) else os.pread(descriptor, 20, 0).strip()
    return int(written) if written.isdigit() else None
