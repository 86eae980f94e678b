"""One agent for each ledger, and for each watch folder with all below it: locks that end with their process. I/O.

A watch folder is locked for one alone, and all above it for any number: so whoever watches a folder above or below
another one's is refused, whichever started first, while neighbours do not disturb each other. Nothing is written
anywhere. A lock on a folder is known on this machine alone, also where it lies on a network file system.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Self

from agent.errors import AlreadyRunning, FolderUnavailable, LedgerUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_TWICE = "what is dropped there would be sent, and paid for, twice. Give each agent a folder beside the others'."


class Lock:
    """A held `flock`, with those of the folders above. It dies with its process, so a crash leaves nothing behind."""

    def __init__(self, descriptor: int, above: tuple[int, ...] = ()) -> None:
        self._descriptor: int | None = descriptor
        self._above = above

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
            for descriptor in (self._descriptor, *self._above):
                # Closing alone would not do while a child that was just forked still has a copy of the descriptor.
                fcntl.flock(descriptor, fcntl.LOCK_UN)
                os.close(descriptor)
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
    """Lock the folder itself, so that no two agents watch it, or one that lies in it; nothing is written into it.

    Raises AlreadyRunning, or FolderUnavailable where it cannot be opened or locked.
    """
    try:
        with contextlib.ExitStack() as undo:
            descriptor = os.open(path, FOLDER)
            undo.callback(os.close, descriptor)
            _flock(descriptor, f"The folder {path}")
            above = tuple(_lock_above(path, undo))
            undo.pop_all()
    except OSError as error:
        raise FolderUnavailable(f"The folder {path} cannot be locked ({error.strerror}).") from error
    return Lock(descriptor, above)


def _lock_above(path: Path, undo: contextlib.ExitStack) -> Iterator[int]:
    """Lock the folders above, but for the root, together with whoever else does; yield their descriptors.

    Raises AlreadyRunning where one of them is watched.
    """
    for folder in Path(os.path.realpath(path)).parents[:-1]:
        descriptor = _shared(folder, f"The folder {path} lies in {folder}")
        if descriptor is not None:
            undo.callback(os.close, descriptor)
            yield descriptor


def _shared(folder: Path, what: str) -> int | None:
    """Lock a folder together with others; None where it may not be opened, or cannot be locked: that is no reason."""
    with contextlib.suppress(OSError), contextlib.ExitStack() as undo:
        descriptor = os.open(folder, FOLDER)
        undo.callback(os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"{what}, which {_holder(descriptor)[0]} watches: {_TWICE}") from None
        undo.pop_all()
        return descriptor
    return None


def _flock(descriptor: int, what: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        who, is_shared = _holder(descriptor)
        if is_shared:
            raise AlreadyRunning(f"{what} holds a folder that {who} watches: {_TWICE}") from None
        raise AlreadyRunning(
            f"{what} is in use by {who}. Stop that one first: there is one agent per ledger and per watch folder."
        ) from None


def _holder(descriptor: int) -> tuple[str, bool]:
    """Return who holds the flock, in words: from the kernel, else from the file; and whether others may hold it, too.

    proc(5), /proc/locks: `1: FLOCK ADVISORY WRITE pid major:minor:inode 0 EOF`, the device's numbers in hex. Some file
    systems (btrfs, overlay) have another device there than in `stat`, and no id is shown of another pid namespace.
    """
    status = os.fstat(descriptor)
    wanted = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    with open("/proc/locks", encoding="ascii") as locks:
        for line in locks:
            fields = line.split()
            if fields[1] == "FLOCK" and fields[5] == wanted and int(fields[4]) > 0:
                return f"the process with id {fields[4]}", fields[3] == "READ"
    written = b"" if stat.S_ISDIR(status.st_mode) else os.pread(descriptor, 20, 0).strip()
    return (f"the process with id {int(written)}" if written.isdigit() else "another process"), False
