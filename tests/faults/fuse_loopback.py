"""A FUSE file system that shows another folder, read-only: `python -m tests.faults.fuse_loopback SOURCE MOUNTPOINT`.

What is written into SOURCE is, to the mount, what another machine does: no event tells of it. Its inodes have all 64
bits, as those of mergerfs have.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import mfusepy


class Loopback(mfusepy.Operations):  # type: ignore[misc]  # the package's decorators hide its types
    """Hands every call on to the source."""

    use_ns = True

    def __init__(self, source: str) -> None:
        self._source = source

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        status = os.lstat(self._source + path)
        names = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size")
        times = {f"st_{which}time": getattr(status, f"st_{which}time_ns") for which in "acm"}
        return {**{name: getattr(status, name) for name in names}, **times, "st_ino": 2**63 + status.st_ino}

    def readdir(self, path: str, fh: int) -> list[tuple[str, dict[str, Any], int]]:
        at = path.rstrip("/")
        return [(name, self.getattr(f"{at}/{name}"), 0) for name in (".", "..", *os.listdir(self._source + path))]

    def open(self, path: str, flags: int) -> int:
        return os.open(self._source + path, flags)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    def release(self, path: str, fh: int) -> int:
        os.close(fh)
        return 0


if __name__ == "__main__":
    mfusepy.FUSE(Loopback(sys.argv[1]), sys.argv[2], foreground=True, nothreads=True, attr_timeout=0.5, use_ino=True)
