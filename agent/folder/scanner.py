"""Folders to listings, and the sweep. Symbolic links are never followed: each component is opened with O_NOFOLLOW.

Nothing here reads a file's content but its first bytes (`head`); `open_file` hands out a descriptor for the rest.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from agent.core.folder_rules import NAME
from agent.core.names import ODD, Name, hidden
from agent.errors import FileChanged, FolderUnavailable
from agent.folder.entries import FOLDER, MOST_HIDDEN, entries_of, files_below, without_ignored
from agent.model import TOP_BIT, Listing, Stamp, Times, basename, join, parent, quick_fingerprint, signed
from agent.model.files import Collected

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from pathlib import Path

    from agent.core.names import Filters

FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""What opening a folder says when it is not there any more, or is no folder, or a symbolic link now."""


SLICE = 128
"""Entries of a folder that are looked at in one go: half a millisecond, or ten times that beside a busy thread."""


class Scanner:
    """Looks at the watch folder. Safe to use from several threads: all it keeps is the root's path and `inodes_last`.

    Where they do not last any more, the stamps that it makes have none.
    """

    def __init__(self, root: Path, filters: Filters) -> None:
        self.root = root
        self._filters = filters
        self.inodes_last = True

    def identity(self) -> tuple[int, int] | None:
        """Return the watch folder's (st_dev, st_ino), or None where it is not there or cannot be listed."""
        try:
            with self.opened("") as fd:
                assert fd is not None
                status = os.fstat(fd)
        except FolderUnavailable:
            return None
        return (status.st_dev, status.st_ino)

    def list(self, folder: str, ready_marker: str | None = None) -> Listing | None:
        """Return what a folder holds, or None where there is no such folder.

        `ready_marker` is the name that counts as one in this folder, in place of the filters'; '' for none.

        Raises FolderUnavailable where it cannot be told: permission, I/O, too many open files, a watch folder that
        is not there.
        """
        slices = self.slices(folder, ready_marker)
        while True:
            try:
                next(slices)
            except StopIteration as over:
                listing: Listing | None = over.value
                return listing

    def slices(self, folder: str, ready_marker: str | None = None) -> Generator[None, None, Listing | None]:
        """Do as `list`, and yield after every SLICE entries, so that the caller can do other things between."""
        collected = Collected()
        fingerprint = 0
        subfolders: list[str] = []
        others: list[os.DirEntry[str]] = []
        filters = self._filters if ready_marker is None else replace(self._filters, marker=ready_marker)
        plain_images, marker = filters.plain_images, filters.marker
        stamp_of = Stamp.of if self.inodes_last else _without_inode
        try:
            with self.opened(folder) as fd:
                if fd is None:
                    return None
                own = os.fstat(fd)
                with os.scandir(fd) as entries:
                    while some := list(islice(entries, SLICE)):
                        files = collected.some
                        done = len(files)
                        for entry in some:  # this runs for every file there is: it calls nothing that it need not
                            name = entry.name
                            if entry.is_dir(follow_symlinks=False):
                                subfolders.append(name)
                            elif name.endswith(plain_images) and name[0] not in ODD and name != marker:
                                try:
                                    status = entry.stat(follow_symlinks=False)
                                except FileNotFoundError:  # it was removed since it was listed
                                    continue
                                mtime, inode = status.st_mtime_ns, status.st_ino
                                if inode >= TOP_BIT or not -TOP_BIT <= mtime < TOP_BIT:
                                    mtime, inode = signed(mtime), signed(inode)
                                files.append((name, status.st_size, mtime, status.st_ctime_ns, inode))
                            else:
                                others.append(entry)
                        if stamp_of is _without_inode:
                            files[done:] = [(*file[:4], 0) for file in files[done:]]
                        fingerprint += quick_fingerprint(files[done:])
                        collected.settle()
                        yield
                kinds = [(entry, filters.classify(entry.name)) for entry in others]
                images = (each for each in kinds if each[1] is Name.IMAGE)
                odd = [(name, *stamp) for name, stamp in entries_of(images, stamp_of)]
                beside = [(entry, kind) for entry, kind in kinds if kind not in (Name.IMAGE, Name.MARKER)]
                hidden_folders = [name for name in subfolders if hidden(name)]
                rest = (
                    *(each for each in entries_of(beside, stamp_of) if each.name != NAME),
                    *islice((each for name in hidden_folders for each in files_below(fd, name, stamp_of)), MOST_HIDDEN),
                )
        except OSError as error:
            raise FolderUnavailable(f"the folder {folder or self.root} cannot be listed: {error.strerror}") from error
        collected.some += odd
        listing = Listing(
            folder,
            Times(own.st_mtime_ns, own.st_ctime_ns),
            collected.all(),
            rest,
            tuple(join(folder, name) for name in subfolders if filters.enters(name)),
            tuple(join(folder, name) for name in hidden_folders),
            any(kind is Name.MARKER for _, kind in kinds),
            fingerprint + quick_fingerprint(odd),
        )
        return without_ignored(listing, filters) if filters.ignore else listing

    def stamp(self, path: str) -> Stamp | None:
        """Return a file's stamp, or None where there is no such entry (a link's is its own, not its target's).

        Raises FolderUnavailable as `list` does.
        """
        try:
            with self._reached(path) as (name, fd):
                stamp = Stamp.of(os.stat(name, dir_fd=fd, follow_symlinks=False))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise FolderUnavailable(f"{path} cannot be looked at: {error.strerror}") from error
        return stamp if self.inodes_last else stamp.without_inode()

    @contextlib.contextmanager
    def open_file(self, path: str) -> Iterator[int]:
        """Give a descriptor of a regular file below the watch folder, to read from. Raises as `descriptor` does."""
        fd = self.descriptor(path)
        try:
            yield fd
        finally:
            os.close(fd)

    def head(self, path: str, count: int) -> bytes | None:
        """Return the first bytes of a file, None where they cannot be read: what it is shows later, or never."""
        try:
            with self.open_file(path) as fd:
                return os.pread(fd, count, 0)
        except (FileChanged, FolderUnavailable, OSError):
            return None

    def descriptor(self, path: str, folder: int | None = None) -> int:
        """Return a descriptor of a regular file, which is the caller's to close.

        `folder` is a descriptor of its folder, where one is held. Raises FileChanged where the file is not there or is
        no regular file, PermissionError where it may not be read, FolderUnavailable as `list` does.
        """
        try:
            if folder is not None:
                fd = _open_regular(basename(path), folder)
            else:
                with self._reached(path) as (name, at):
                    fd = _open_regular(name, at)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise FileChanged(f"{path} is not there any more") from error
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise FileChanged(f"{path} is a symbolic link now") from error
            raise
        if fd is None:
            raise FileChanged(f"{path} is no regular file now")
        return fd

    def kind(self, path: str) -> str | None:
        """Return what a path is, for a sentence ('a symbolic link', 'a FIFO' …), or None for a regular file."""
        try:
            with self._reached(path) as (name, folder):
                mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return None
        return _KINDS.get(stat.S_IFMT(mode))

    def sweep(self, known: Mapping[str, Times | None]) -> Iterator[str]:
        """Yield the folders whose times are not equal to the `known` ones (None: never), or that are not there.

        Equal, not newer: unpacking restores old times, and moved files keep theirs.
        """
        above, lstat = f"{self.root}/", os.lstat  # for every folder there is, every few seconds, for months
        for folder, times in known.items():
            try:
                status = lstat(above + folder)
            except OSError:
                yield folder
                continue
            if (status.st_mtime_ns, status.st_ctime_ns) != times:
                yield folder

    @contextlib.contextmanager
    def _reached(self, path: str) -> Iterator[tuple[str, int | None]]:
        """Give what names an entry to the system: its name, and a descriptor of its folder.

        No link can be on the way to an entry of the watch folder itself: that has a whole path and no descriptor, which
        is a third of the calls. Raises FileNotFoundError where its folder is not there, FolderUnavailable as `list`.
        """
        if "/" in path:
            with self.opened(parent(path)) as folder:
                if folder is None:
                    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
                yield basename(path), folder
            return
        try:
            yield f"{self.root}/{path}", None
        except OSError:
            with self.opened(""):  # which tells whether it is the watch folder that is not there
                raise

    @contextlib.contextmanager
    def opened(self, folder: str) -> Iterator[int | None]:
        """Give a descriptor of a folder, reached without following a link; None where there is no such folder.

        Raises FolderUnavailable as `list` does.
        """
        try:
            fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise FolderUnavailable(f"the watch folder {self.root} cannot be opened: {error.strerror}") from error
        try:
            for name in folder.split("/") if folder else ():
                try:
                    inner = os.open(name, FOLDER, dir_fd=fd)
                except OSError as error:
                    if error.errno in MISSING:
                        missing = True
                        break
                    raise FolderUnavailable(f"the folder {folder} cannot be opened: {error.strerror}") from error
                os.close(fd)
                fd = inner
            else:
                missing = False
            yield None if missing else fd
        finally:
            os.close(fd)


def _without_inode(status: os.stat_result) -> Stamp:
    return Stamp.of(status).without_inode()


def _open_regular(name: str, at: int | None) -> int | None:
    """Open a file; None where it is no regular one. Opening a device can have effects: its kind is asked first."""
    if not stat.S_ISREG(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
        return None
    fd = os.open(name, FILE, dir_fd=at)
    is_regular = False
    try:
        is_regular = stat.S_ISREG(os.fstat(fd).st_mode)
    finally:
        if not is_regular:
            os.close(fd)
    return fd if is_regular else None


_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}
