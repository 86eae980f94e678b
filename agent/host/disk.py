"""Whether a file's disk has room for more. I/O."""

from __future__ import annotations

import os

LITTLE = 2**16


def room(path: os.PathLike[str]) -> tuple[int, int]:
    """Return how many bytes of a file's disk are free, for who is no root, and how many it has."""
    stands = os.statvfs(path)
    return stands.f_bavail * stands.f_frsize, stands.f_blocks * stands.f_frsize


def why_unwritable(path: os.PathLike[str]) -> str:
    """Return why nothing can be written beside a file, as a sentence, '' where nothing stands against it."""
    stands = os.statvfs(path)
    if stands.f_flag & os.ST_RDONLY:
        return f"the disk of {os.fspath(path)} is read-only: nothing is sent that cannot be recorded first"
    free = stands.f_bfree if os.geteuid() == 0 else stands.f_bavail
    if free * stands.f_frsize < LITTLE:
        return f"the disk of {os.fspath(path)} is full: nothing is sent that cannot be recorded first; make room"
    return ""
