"""Where results are kept: whole files only, in a folder that mirrors the watch folder, written by one at a time."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import stat
import threading
from typing import TYPE_CHECKING, NoReturn

from agent.errors import AlreadyRunning, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO


OF_THIS_FILE = frozenset({errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ELOOP})
"""What is wrong with one name; any other failure to write (a full disk) is the whole folder's."""


class ResultFiles:
    """The results below `root`, which must be there; `target` is the name of who gives them.

    `mode` is the rights of the files, and of the folders that are made for them; None leaves both to the umask, and to
    the default ACL of the folder above.
    """

    def __init__(self, root: Path, target: str, mode: int | None = None) -> None:
        self._root = root
        self._target = target
        self._mode = mode
        self._checking = threading.Lock()

    @contextlib.contextmanager
    def lock(self, *, wait: bool) -> Iterator[None]:
        """Keep other processes from writing here; without `wait` raise AlreadyRunning where one does.

        Raises OSError.
        """
        descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                raise AlreadyRunning(f"another process fetches results into {self._root} just now") from None
            yield
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def temporary(self, path: str, name: str) -> Iterator[BinaryIO]:
        """Give a file to write into, in the folder where `path` goes, and remove it afterwards unless it was placed.

        Its name depends on `name` alone: what a killed process left is overwritten by the next try. Raises OSError.
        """
        temporary = self._temporary(path, name)
        self._make(temporary.parent)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()  # its rights are of another time
        try:
            with open(os.open(temporary, flags, 0o666), "w+b") as file:
                if self._mode is not None:
                    os.fchmod(file.fileno(), self._mode)
                yield file
        finally:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()

    def place(self, path: str, name: str, file: BinaryIO) -> None:
        """Put the checked temporary file at `path`, whole and on the disk. Raises OSError."""
        file.flush()
        os.fsync(file.fileno())
        target = self._root / path
        os.replace(self._temporary(path, name), target)
        _sync_folder(target.parent)

    def keep(self, path: str, kept: str) -> None:
        """Have what is at `path` under the name `kept` too, before it is replaced; nothing where it is so already."""
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            os.link(self._root / path, self._root / kept)

    def check(self, file: BinaryIO) -> None:
        """See that the file is one JSON document, one file at a time. Raises Refused (code `result`).

        Objects are dropped as soon as they are read: 50 MB of typical annotations take as much memory as their text.
        """
        file.seek(0)
        with self._checking:
            try:
                json.loads(file.read(), object_pairs_hook=_nothing, parse_float=_nothing, parse_constant=_no_constant)
            except (ValueError, RecursionError) as error:
                raise Refused(f"what {self._target} gave as the result is not JSON: {error}", code="result") from None

    def _make(self, folder: Path) -> None:
        """Make a folder below the root, with those above it; who may read the files may enter them."""
        if folder.is_dir():
            return
        if folder == self._root:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
        self._make(folder.parent)
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            if self._mode is not None:
                setgid = folder.stat().st_mode & stat.S_ISGID
                folder.chmod(setgid | self._mode | (self._mode & 0o444) >> 2)
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))

    def _temporary(self, path: str, name: str) -> Path:
        return (self._root / path).with_name(f".{name}.part")


def _nothing(_value: object) -> None:
    """Keep nothing of what was read."""


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
