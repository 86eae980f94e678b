"""Opens files of the watch folder and examines them: an `Image` for each, also where it cannot be read. I/O."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from agent.errors import FileChanged, FolderUnavailable
from agent.model import Image, Stamp, basename, is_utf8, join, shown
from agent.reading.check import decoded, examine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from agent.folder.scanner import Scanner
    from agent.model import File
    from agent.reading.check import Decode

PASSING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.EAGAIN, errno.ETIMEDOUT, errno.ENOTCONN)
"""What says nothing about the file itself: no descriptor or memory left here, or a server that is away (FUSE, NFS)."""


class FileExaminer:
    """Examines files here and now. Safe to use from several threads.

    `on_file` is called before each file that is read; `decode` judges the doubtful ones.
    """

    def __init__(self, scanner: Scanner, on_file: Callable[[], None] = lambda: None, decode: Decode = decoded) -> None:
        self._scanner = scanner
        self._on_file = on_file
        self._decode = decode

    def image(self, path: str, stamp: Stamp, folder: int | None = None) -> Image:
        """Examine one file; `folder` is a descriptor of its folder, where one is held.

        Raises FileChanged where it is not the file with this stamp, but for its times (`moved`), FolderUnavailable.
        """
        self._on_file()
        if not is_utf8(path):
            return Image("", problem=f"its name is not UTF-8 ({shown(path)}): rename it")
        try:
            fd = self._scanner.descriptor(path, folder)
            try:
                return examine(fd, basename(path), stamp, self._decode)
            finally:
                os.close(fd)
        except FileChanged:
            kind = self._scanner.kind(path)
            if kind is None:
                raise
            return Image("", problem=f"it is {kind}, not a regular file; links are never followed")
        except PermissionError as error:
            return Image("", problem=f"it may not be read ({error.strerror}): give the agent's user the right to")
        except OSError as error:
            if error.errno in PASSING:
                raise FolderUnavailable(f"{shown(path)} cannot be read now: {error.strerror}") from error
            return Image("", problem=f"it cannot be read: {error.strerror}")

    def images(self, folder: str, files: Iterable[File]) -> Iterator[tuple[File, Image]]:
        """Examine files of one folder, which is opened once for all of them. Raises as `image` does."""
        with self._scanner.opened(folder) as fd:
            if fd is None:
                raise FileChanged(f"{shown(folder)} is not there any more")
            for file in files:
                yield file, self.image(join(folder, file[0]), Stamp(*file[1:]), fd)
