"""Lists folders for the agent, in a process of its own, and packs what they hold. I/O."""

from __future__ import annotations

import gc
import time
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from agent.core.fingerprints import fingerprint_of
from agent.errors import FolderUnavailable
from agent.folder.scanner import SLICE
from agent.model.files import FEW, PackedFiles

if TYPE_CHECKING:
    from agent.folder.scanner import Scanner
    from agent.model import Listing

MOST_FILES = FEW
"""Entries of one folder that are listed here. A larger one is the agent's, which lists it in slices: its answer would
be on its way for longer than events should wait, and stand in the memory of two; and a glance comes before it."""
TOGETHER = 20_000
"""Files after which an answer is given, though there are more folders to list: it stands in memory as a whole."""


class Folders(NamedTuple):
    """Asks for listings: of folders, each with its ready marker as `Scanner.list` takes it.

    `inodes_last` is as in Scanner; `known`: the agent probably knows the files, and needs no more than `Listing.seen`.
    """

    folders: tuple[tuple[str, str | None], ...]
    inodes_last: bool
    known: bool


class Listed(NamedTuple):
    """A listing whose files are packed, which took so many seconds of CPU, and the watch folder that it was made in."""

    listing: Listing
    root: tuple[int, int] | None
    seconds: float


def listed(scanner: Scanner, asked: Folders) -> list[Listed | None]:
    """Return the listings of the first of some folders: None for one that is left to the agent.

    That is told of what cannot be listed, or is gone, by its own look.
    """
    scanner.inodes_last, scanner.is_counting = asked.inodes_last, False
    found: list[Listed | None] = []
    files = 0
    gc.disable()  # a tuple for each file sets it off for nothing: 0.2 µs a file, of 3.2
    try:
        for folder, marker in asked.folders:
            if files >= TOGETHER:
                break
            one = _listed(scanner, folder, marker, known=asked.known)
            files += len(one.listing.files) if one else 0
            found.append(one)
    finally:
        gc.enable()
    return found


def _listed(scanner: Scanner, folder: str, marker: str | None, *, known: bool) -> Listed | None:
    started, root = time.thread_time(), scanner.identity()
    listing = None
    slices = scanner.slices(folder, marker)
    try:
        for _ in range(MOST_FILES // SLICE):
            next(slices)
    except StopIteration as over:
        listing = over.value
    except FolderUnavailable:
        pass
    finally:
        slices.close()
    if listing is None:
        return None
    packed = PackedFiles()
    seen = b""
    if listing.files:
        seen = fingerprint_of(listing.files) if known else b""
        packed.add(listing.files)
    # Its quick fingerprint holds a secret of this process: the agent makes its own, where it needs one.
    return Listed(replace(listing, files=packed, fingerprint=0, seen=seen), root, time.thread_time() - started)
