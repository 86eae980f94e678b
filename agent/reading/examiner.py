"""Opens files of the watch folder and examines them: an `Image` for each, also where it cannot be read. I/O."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agent.core.image_rules import USUAL_RULES
from agent.errors import FileChanged, FileUnreadable
from agent.model import Image, Stamp, basename, is_utf8, join, shown
from agent.reading.check import decoded, examine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from agent.core.image_rules import ImageRules
    from agent.folder.scanner import Scanner
    from agent.model import File
    from agent.reading.check import Decode


class FileExaminer:
    """Examines files here and now. Safe to use from several threads.

    `on_file` is called before each file that is read; `decode` judges the doubtful ones; `rules` say what is taken.
    """

    def __init__(
        self,
        scanner: Scanner,
        on_file: Callable[[], None] = lambda: None,
        decode: Decode = decoded,
        rules: ImageRules = USUAL_RULES,
    ) -> None:
        self._scanner = scanner
        self._on_file = on_file
        self._decode = decode
        self._rules = rules

    def image(self, path: str, stamp: Stamp, folder: int | None = None) -> Image:
        """Examine one file; `folder` is a descriptor of its folder, where one is held.

        Raises FileChanged where it is not the file with this stamp, but for its times (`moved`), FolderUnavailable,
        and FileUnreadable for every error of reading: whatever it is, only the bytes can prove a file to be broken.
        """
        self._on_file()
        if not is_utf8(path):
            return Image("", problem=f"its name is not UTF-8 ({shown(path)}): rename it")
        try:
            return self._examined(path, stamp, folder)
        except PermissionError as error:
            raise FileUnreadable(
                f"{shown(path)}: it may not be read ({error.strerror}): give the agent's user the right to"
            ) from error
        except OSError as error:
            raise FileUnreadable(f"{shown(path)}: it cannot be read now ({error.strerror or error})") from error

    def _examined(self, path: str, stamp: Stamp, folder: int | None) -> Image:
        try:
            fd = self._scanner.descriptor(path, folder)
            try:
                return examine(fd, basename(path), stamp, self._decode, self._rules)
            finally:
                os.close(fd)
        except FileChanged:
            kind = self._scanner.kind(path)
            if kind is None:
                raise
            return Image("", problem=f"it is {kind}, not a regular file; links are never followed")

    def images(self, folder: str, files: Iterable[File]) -> Iterator[tuple[File, Image]]:
        """Examine files of one folder, which is opened once for all of them. Raises as `image` does."""
        with self._scanner.opened(folder) as fd:
            if fd is None:
                raise FileChanged(f"{shown(folder)} is not there any more")
            for file in files:
                yield file, self.image(join(folder, file[0]), Stamp(*file[1:]), fd)
