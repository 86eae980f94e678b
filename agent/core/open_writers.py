"""Which files are being written, as the kernel tells: made or written to, and not yet closed, moved or gone. Pure.

inotify tells of IN_CREATE and IN_MODIFY before IN_CLOSE_WRITE, whatever the name and whoever may read the file
(inotify(7)). Not seen are writers from before the watch, on another host, by hard links and by mmap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_NAMES = 1024
"""Open files of one folder that are known one by one."""
MOST_FOLDERS = 4096
"""Folders that are known to have such; of more, those are forgotten that have had them the longest."""


class OpenWriters:
    """The open files by folder; bounded by folders, not files. For one thread at a time."""

    def __init__(self) -> None:
        self._folders: dict[str, dict[str, bool]] = {}

    def opened(self, folder: str, name: str, *, written: bool) -> None:
        """Take note of a file that was made, or (`written`) written to."""
        names = self._folders.get(folder)
        if names is None:
            while len(self._folders) >= MOST_FOLDERS:
                del self._folders[next(iter(self._folders))]
            names = self._folders[folder] = {}
        if (written or name not in names) and (len(names) < MOST_NAMES or name in names):
            names[name] = written

    def ended(self, folder: str, name: str) -> None:
        """Take note of a file that was closed, moved away or deleted."""
        names = self._folders.get(folder)
        if names is not None and names.pop(name, None) is not None and not names:
            del self._folders[folder]

    def gone(self, folder: str) -> None:
        """Forget a folder, and all below it: it was moved or deleted."""
        below = f"{folder}/"
        for known in [known for known in self._folders if known == folder or known.startswith(below)]:
            del self._folders[known]

    def doubt(self) -> None:
        """Forget all: events were lost, perhaps such as told of an end."""
        self._folders.clear()

    def in_folder(self, folder: str) -> Mapping[str, bool]:
        """Return the names that are open in a folder, each with whether it was written to."""
        return dict(self._folders.get(folder, {}))

    def beside(self, folder: str) -> str:
        """Return the path of a file that is open in a hidden folder in this one or in one above it, or ''."""
        for known, names in self._folders.items():
            head, dot, _ = f"/{known}/".partition("/.")
            if dot and f"/{folder}/".startswith(f"{head}/"):
                return f"{known}/{next(iter(names))}"
        return ""
