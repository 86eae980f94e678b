"""What stands in an open folder, with stamps; and a listing without what is to be left alone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from agent.core.glance import look_at
from agent.errors import FolderUnavailable
from agent.model import Entry, Stamp, join, quick_fingerprint
from agent.model.files import as_files

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from agent.core.names import Filters, Name
    from agent.folder.scanner import Scanner
    from agent.model import Listing

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
MOST_HIDDEN = 256
"""Files of hidden folders in a folder that are looked at: tools keep there what is on its way, and not much."""

GLANCE = 1024
"""Entries of which only names and inodes are looked at in one go: half a millisecond."""

Stamps = Callable[[os.stat_result], Stamp]


def entries_of(kinds: Iterable[tuple[os.DirEntry[str], Name]], stamp_of: Stamps) -> Iterator[Entry]:
    """Yield the entries with their stamps, but for those removed since they were listed."""
    for entry, _ in kinds:
        with contextlib.suppress(FileNotFoundError):
            yield Entry(entry.name, stamp_of(entry.stat(follow_symlinks=False)))


def files_below(fd: int, folder: str, stamp_of: Stamps) -> Iterator[Entry]:
    """Yield the files in and below a hidden folder, by their paths from the open one; what is gone is left out."""
    with contextlib.suppress(OSError):
        inner = os.open(folder, FOLDER, dir_fd=fd)
        try:
            with os.scandir(inner) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        below = files_below(inner, entry.name, stamp_of)
                        yield from (each._replace(name=f"{folder}/{each.name}") for each in below)
                    else:
                        yield Entry(f"{folder}/{entry.name}", stamp_of(entry.stat(follow_symlinks=False)))
        finally:
            os.close(inner)


def without_ignored(listing: Listing, filters: Filters) -> Listing:
    """Return a listing without what the settings say to leave alone."""
    folder = listing.folder
    files = as_files(file for file in listing.files if not filters.ignores(join(folder, file[0])))
    return replace(
        listing,
        files=files,
        others=tuple(entry for entry in listing.others if not filters.ignores(join(folder, entry.name))),
        subfolders=tuple(path for path in listing.subfolders if not filters.ignores(path)),
        fingerprint=quick_fingerprint(files),
    )


def glance(scanner: Scanner, folder: str) -> Generator[None, None, int | None]:
    """Return `look_at` all entries of a folder, None where there is none such; yields now and then.

    Raises FolderUnavailable as `Scanner.list` does.
    """
    seen = 0
    try:
        with scanner.opened(folder) as fd:
            if fd is None:
                return None
            with os.scandir(fd) as entries:
                while some := list(islice(entries, GLANCE)):
                    seen += look_at((entry.name, entry.inode()) for entry in some)
                    yield
    except OSError as error:
        raise FolderUnavailable(f"the folder {folder or scanner.root} cannot be listed: {error.strerror}") from error
    return seen
