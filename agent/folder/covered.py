"""Which folder each of the kernel's watch descriptors stands for. Pure.

A descriptor belongs to the folder itself, whatever its path: it stays when the folder is renamed, and one that is
watched anew under another path has the same (inotify(7)).
"""

from __future__ import annotations


def is_hidden(path: str) -> bool:
    """Tell whether a folder is hidden, or lies in one that is."""
    return "/." in f"/{path}"


class CoveredFolders:
    """The folders whose events are had, by path and by descriptor."""

    def __init__(self) -> None:
        self._paths: dict[int, str] = {}
        self._descriptors: dict[str, int] = {}
        self._hidden: set[int] = set()

    @property
    def hidden(self) -> int:
        """How many of them are hidden folders."""
        return len(self._hidden)

    def __contains__(self, path: str) -> bool:
        return path in self._descriptors

    def path(self, descriptor: int) -> str | None:
        """Return what a descriptor stands for; None: nothing any more."""
        return self._paths.get(descriptor)

    def add(self, path: str, descriptor: int) -> None:
        """Take note that a folder has this descriptor."""
        self._paths[descriptor] = path
        self._descriptors[path] = descriptor
        if is_hidden(path):
            self._hidden.add(descriptor)

    def forget(self, descriptor: int) -> None:
        """Take note that a descriptor is gone."""
        path = self._paths.pop(descriptor, None)
        self._hidden.discard(descriptor)
        if path is not None and self._descriptors.get(path) == descriptor:
            del self._descriptors[path]

    def move_away(self, path: str) -> list[int]:
        """Forget a folder and all below it; return the descriptors that stand for nothing any more.

        One that was added under its new path already, before the move was told of, stands for that.
        """
        below = f"{path}/"
        left = []
        for moved in [known for known in self._descriptors if known == path or known.startswith(below)]:
            descriptor = self._descriptors.pop(moved)
            if self._paths.get(descriptor) == moved:
                del self._paths[descriptor]
                self._hidden.discard(descriptor)
                left.append(descriptor)
        return left

    def doubt(self) -> None:
        """Take note that any path may be another folder's now: each is to be added again."""
        self._descriptors.clear()
