"""What is kept in memory of a picture that came, was sent and was deleted: nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.soak import LONG

if TYPE_CHECKING:
    from pathlib import Path


def _used(place: Path, *arguments: object) -> list[tuple[int, int]]:
    """Return (pictures, bytes in use) of each time that it was measured."""
    command = [sys.executable, "-m", "tests.faults.short_lived", place, *arguments]
    found: list[tuple[int, int]] = []
    with subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            pictures, used = json.loads(line)
            found.append((pictures, used))
            if LONG:
                print(f"{pictures:9,} pictures: {used / 2**20:6.1f} MiB", flush=True)  # noqa: T201 (a soak is watched)
    assert running.returncode == 0
    return found


@pytest.mark.timeout(300)
def test_nothing_is_kept_of_pictures_that_came_and_went(tmp_path: Path) -> None:
    """Names of what was seen, kept for ever, were 205 bytes a picture once.

    What is in use goes up and down by less: by 89 where neighbours have the machine.
    """
    used = [size for _, size in _used(tmp_path, 4000, 1000, "traced")]
    assert len(used) == 4
    assert (min(used[2:]) - min(used[:2])) / 2000 <= 120


@pytest.mark.skipif(not LONG, reason="a million pictures: TMPDIR=/dev/shm python -m tests.soak short_lived")
@pytest.mark.timeout(4 * 3600)
def test_a_million_pictures_that_come_and_go_leave_a_flat_line(tmp_path: Path) -> None:
    used = _used(tmp_path, 1_000_000, 50_000)
    assert used[-1][0] == 1_000_000
    after_the_first = [size for pictures, size in used if pictures >= 100_000]
    assert max(after_the_first) <= 1.05 * after_the_first[0]
    assert min(after_the_first) >= 0.95 * after_the_first[0]
