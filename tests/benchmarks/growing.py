"""Examines files one after the other, and prints by how many MiB it grew at its highest after the first (VmHWM).

For a process of its own, which has held nothing else.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from agent.model import Stamp
from agent.reading.check import examine


def main() -> None:
    """Examine the files."""
    first, *others = sys.argv[1:]
    _examine(first)
    before = _kib("VmRSS")
    for path in others:
        _examine(path)
    sys.stdout.write(f"{(_kib('VmHWM') - before) / 1024}\n")


def _examine(path: str) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        image = examine(fd, "", Stamp.of(os.fstat(fd)))
    finally:
        os.close(fd)
    if image.problem is not None:
        sys.exit(f"{path}: {image.problem}")


def _kib(name: str) -> int:
    status = Path("/proc/self/status").read_text("ascii")
    found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None
    return int(found[1])


if __name__ == "__main__":
    main()
