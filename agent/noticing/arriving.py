"""What the folders that wait are looked at for, beside their listing: who writes there, and how odd files begin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from agent.core import left_out
from agent.core.arrival import Arrival, FolderLook, Waits
from agent.core.entries import is_side_file, needs_head
from agent.core.image_format import HEAD_BYTES
from agent.errors import FolderUnavailable
from agent.model import Kind, basename, join

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from agent.core.folder_rules import FolderRules
    from agent.core.quiet_times import QuietTimes
    from agent.folder.tree import Tree
    from agent.model import Entry, File, Listing, Stamp, UnitKey

HEADS_AT_A_LOOK = 64
"""Files whose first bytes are read at one look at a folder: what is no picture by then is none before the next."""


class Writers(Protocol):
    """Knows which files are being written, as far as that can be known."""

    def writing_in(self, folder: str) -> Mapping[str, bool]:
        """Return the names in a folder that were opened and not closed, each with whether it was written to."""

    def writing_beside(self, folder: str) -> str:
        """Return the path of a file that is being written in a hidden folder in or above this one, or ''."""


class NobodyKnown:
    """Writers where the kernel tells of none."""

    def writing_in(self, folder: str) -> Mapping[str, bool]:  # noqa: ARG002
        """Return that none is known."""
        return {}

    def writing_beside(self, folder: str) -> str:  # noqa: ARG002
        """Return that none is known."""
        return ""


class Arriving:
    """The folders of frames that have not settled yet. All methods are the loop's thread's.

    `quiet_since` gives the moment since when files have been as they are, for who cannot wait and believes their times.
    """

    def __init__(
        self,
        tree: Tree,
        quiet: QuietTimes,
        writers: Writers,
        quiet_since: Callable[[Iterable[File], float], float] | None = None,
    ) -> None:
        self._tree = tree
        self._quiet = quiet
        self._writers = writers
        self._quiet_since = quiet_since
        self._arrivals: dict[UnitKey, Arrival] = {}
        self._heads: dict[UnitKey, dict[str, tuple[Stamp, bytes]]] = {}

    def quiet_of(self, kind: Kind) -> float:
        """How long a unit must stay unchanged at the least, in seconds."""
        return self._quiet.image if kind is Kind.IMAGE else self._quiet.sequence

    @property
    def image_quiet(self) -> float:
        """How long a single image must stay unchanged, in seconds."""
        return self._quiet.image

    @property
    def image_reason(self) -> str:
        """What a single image waits for, in words."""
        return self._quiet.image_reason

    def is_written(self, unit: UnitKey, size: int) -> bool:
        """Tell whether a single image is being written."""
        was_written = self._writers.writing_in(unit.folder).get(basename(unit.path))
        if was_written is None:
            return False
        return was_written or (not size and self._is_regular(unit.path))

    def quiet_since(self, files: Iterable[File], now: float) -> float | None:
        """Return since when files have been as they are, by their own times; None where these are not believed."""
        return None if self._quiet_since is None else self._quiet_since(files, now)

    def look(self, unit: UnitKey, listing: Listing, rules: FolderRules, now: float) -> Waits:
        """Take a look at a folder, which ended at `now`, and say what it waits for."""
        arrival = self._arrivals.get(unit)
        if arrival is None:
            arrival = self._arrivals[unit] = Arrival()
        seen = FolderLook(
            listing,
            self._writing_in(listing.folder),
            self._writers.writing_beside(listing.folder),
            self._read_heads(unit, listing),
        )
        since = self._quiet_since
        return arrival.look(
            seen,
            self._quiet.under(rules).of(listing),
            self._tree.filters.extensions,
            now=now,
            since=None if since is None else lambda entry: since([(entry.name, *entry.stamp)], now),
            frames_since=None if since is None else since(listing.files, now),
        )

    def why_left_out(self, listing: Listing) -> str:
        """Say which pictures beside the frames are not taken, '' where all are."""
        names = (entry.name for entry in listing.others)
        return left_out.why_held(len(listing.files), names, self._tree.filters.extensions)

    def forget(self, unit: UnitKey) -> None:
        """Take note that a folder does not wait any more."""
        self._arrivals.pop(unit, None)
        self._heads.pop(unit, None)

    def _writing_in(self, folder: str) -> Mapping[str, bool]:
        """Return what is being written in a folder: what was made and is no regular file is not."""
        writing = self._writers.writing_in(folder)
        return {name: written for name, written in writing.items() if written or self._is_regular(join(folder, name))}

    def _is_regular(self, path: str) -> bool:
        try:
            return self._tree.scanner.kind(path) is None
        except (FolderUnavailable, OSError):
            return True

    def _read_heads(self, unit: UnitKey, listing: Listing) -> dict[str, bytes]:
        """Return how odd files begin; what was not blank once is not read again while it is the same file."""
        wanted = [entry for entry in listing.others if not is_side_file(entry.name) and needs_head(entry)]
        if not wanted:
            return {}
        known = self._heads.get(unit, {})
        found = {entry.name: known[entry.name] for entry in wanted if self._is_known(known, entry)}
        for entry in [entry for entry in wanted if entry.name not in found][:HEADS_AT_A_LOOK]:
            head = self._tree.scanner.head(join(listing.folder, entry.name), HEAD_BYTES)
            if head is not None:
                found[entry.name] = (entry.stamp, head)
        self._heads[unit] = found
        return {name: head for name, (_, head) in found.items()}

    @staticmethod
    def _is_known(known: Mapping[str, tuple[Stamp, bytes]], entry: Entry) -> bool:
        before = known.get(entry.name)
        if before is None:
            return False
        stamp, head = before
        return stamp == entry.stamp or (any(head) and stamp.inode == entry.stamp.inode)
