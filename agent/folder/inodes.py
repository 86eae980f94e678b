"""Finds out whether the inodes of the watch folder's files last; where they do not, the scanner leaves them out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.inodes import ODD_LOOKS, SAMPLES, Sample
from agent.errors import FolderUnavailable
from agent.model import Stamp, join

if TYPE_CHECKING:
    from agent.folder.scanner import Scanner
    from agent.model import Listing


def change_at_each_look(scanner: Scanner, path: str) -> bool:
    """Tell whether a file has another inode at each look, by a few in a row. Raises FolderUnavailable."""
    stamp = scanner.stamp(path)
    if stamp is None:
        return False
    sample = Sample(path, stamp)
    return any(sample.look(now) for _ in range(ODD_LOOKS) if (now := scanner.stamp(path)) is not None)


class InodeWatch:
    """Looks at a few files again and again, and is told of odd looks at others. All methods are the loop's thread's."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self._samples: dict[str, Sample] = {}
        self._told = 0

    def sample(self, listing: Listing) -> None:
        """Take a file of a listing to be looked at, should one more be wanted."""
        if len(self._samples) >= SAMPLES or not listing.files or not self._scanner.inodes_last:
            return
        name, *stamp = listing.files[0]
        path = join(listing.folder, name)
        if path not in self._samples:
            sample = self._samples[path] = Sample(path, Stamp(*stamp))
            for _ in range(ODD_LOOKS):  # at once: most mounts with inodes that do not last have another at every look
                self._look(sample)

    def look(self) -> None:
        """Look at the samples once more: a mount may keep for a minute what it knows of a file."""
        for sample in [sample for sample in self._samples.values() if not sample.is_over]:
            self._look(sample)

    def odd(self, looks: int) -> bool:
        """Take note of so many odd looks at files that were at rest; return whether it is known that inodes change."""
        self._told += looks
        if self._told >= ODD_LOOKS:
            self._scanner.inodes_last = False
        return not self._scanner.inodes_last

    def _look(self, sample: Sample) -> None:
        try:
            stamp = self._scanner.stamp(sample.path)
        except FolderUnavailable:
            return  # whoever lists the folder says so
        if stamp is None:
            self._samples.pop(sample.path, None)
        elif sample.look(stamp):
            self._scanner.inodes_last = False
