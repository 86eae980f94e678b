"""A FUSE file system that shows another folder, read-only.

`python -m tests.faults.fuse_loopback SOURCE MOUNTPOINT [KIND SECONDS READ]`. What is written into SOURCE is, to the
mount, what another machine does: no event tells of it. Its inodes have all 64 bits, as those of mergerfs have. The
kernel keeps for SECONDS what it is told of a file; each file that is read is a line in READ. KIND says what does not
last:

- `still`: all does
- `looks`: inodes, of folders too, are others at each look
- `mounts`: inodes are others after each mount
- `back`: a file's times move while it is read, and go back half a second after it was closed (rclone 1.60)
- `stay`: a file's times move with each reading
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections import Counter
from typing import Any

import mfusepy

BACK_AFTER = 0.5


class Loopback(mfusepy.Operations):  # type: ignore[misc]  # the package's decorators hide its types
    """Hands every call on to the source."""

    use_ns = True

    def __init__(self, source: str, kind: str = "still", read: str = os.devnull) -> None:
        self._source = source
        self._kind = kind
        self._read = read
        self._salt = random.randrange(2**40) if kind == "mounts" else 0
        self._moved: Counter[str] = Counter()
        self._back_at: dict[str, float] = {}

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        status = os.lstat(self._source + path)
        names = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size")
        times = {f"st_{which}time": getattr(status, f"st_{which}time_ns") + self._shift(path) for which in "acm"}
        inode = random.randrange(2**40) if self._kind == "looks" else status.st_ino + self._salt
        return {**{name: getattr(status, name) for name in names}, **times, "st_ino": 2**63 + inode}

    def _shift(self, path: str) -> int:
        """Return by how many nanoseconds reading has moved a file's times."""
        if self._kind == "back" and time.monotonic() >= self._back_at.get(path, 0.0):
            return 0
        return self._moved[path] * 1000

    def readdir(self, path: str, fh: int) -> list[tuple[str, dict[str, Any], int]]:
        at = path.rstrip("/")
        return [(name, self.getattr(f"{at}/{name}"), 0) for name in (".", "..", *os.listdir(self._source + path))]

    def open(self, path: str, flags: int) -> int:
        return os.open(self._source + path, flags)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        if not offset:
            self._moved[path] += self._kind in ("back", "stay")
            self._back_at[path] = float("inf")
            with open(self._read, "a", encoding="utf-8") as read:
                read.write(f"{path.lstrip('/')}\n")
        return os.pread(fh, size, offset)

    def release(self, path: str, fh: int) -> int:
        self._back_at[path] = time.monotonic() + BACK_AFTER
        os.close(fh)
        return 0


if __name__ == "__main__":
    source, point, *more = sys.argv[1:]
    kind, seconds, read = more or ("still", "0.5", os.devnull)
    mfusepy.FUSE(
        Loopback(source, kind, read),
        point,
        foreground=True,
        nothreads=True,
        attr_timeout=float(seconds),
        entry_timeout=float(seconds),
        use_ino=True,
        direct_io=kind in ("back", "stay"),
    )
