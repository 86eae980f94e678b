"""Pictures that come, are sent and are deleted, folder after folder, and what the agent keeps of them in memory.

`python -m tests.faults.short_lived PLACE PICTURES EVERY [traced]` runs the real service with a target that makes jobs
in memory, and prints a line of JSON after each EVERY pictures: how many there were, and the bytes that are in use.
These are resident ones, or (`traced`) those that Python's objects take, which is slower and tells of single bytes.
"""

from __future__ import annotations

import gc
import json
import shutil
import struct
import sys
import tracemalloc
from collections import deque
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.service import assembly
from agent.targets import Batch, Project
from tests.support import Agent, eventually, query, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agent.model import Job
    from agent.model.jobs import Found

FOLDER = 500
AT_ONCE = 4
"""Folders that are there at a time."""
OF_FOLDER = "select count(*) as jobs from jobs where folder = '{}' and state = 'submitted'"
PATIENCE = 600.0


class MakesJobs:
    """A target that takes every job, and remembers none."""

    name = "nobody"
    refuses_duplicates = True
    copies_files = True

    def __init__(self) -> None:
        self._ids = count(1)

    def create(self, job: Job) -> str:
        """Take a job."""
        assert job.frames[0].src
        return f"{next(self._ids):036d}"

    def check_access(self) -> Project:
        """Let everybody in."""
        return Project(("p1",), (Batch("b", "default", is_default=True),))

    def listed(self, may_go: Callable[[], bool]) -> Iterator[tuple[Batch, Sequence[Found]]]:
        """Show no job."""
        yield from ()

    def is_outage(self, code: str) -> bool:
        """Say that it has no trouble."""
        return False

    def close(self) -> None:
        """Do nothing: there are no connections."""


def picture(number: int) -> bytes:
    """Return a small whole image unlike all others."""
    pixels = struct.pack("<Q", number) + b"\xff" * 4
    head = struct.pack("<IHHI", 54 + len(pixels), 0, 0, 54)
    return b"BM" + head + struct.pack("<IiiHHIIiiII", 40, 1, 3, 1, 24, 0, len(pixels), 2835, 2835, 0, 0) + pixels


def resident() -> int:
    """Return the bytes of this process that are in memory."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024


def traced() -> int:
    """Return the bytes that Python's objects take."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def live(place: Path, pictures: int, every: int, measured: Callable[[], int]) -> None:
    """Let so many pictures come and go."""
    chosen = settings(place, "http://127.0.0.1:9", IMAGE_FOLDERS="*", SETTLE_SECONDS="0.1", WATCH_RESCAN_SECONDS="30")
    inbox, ledger = chosen.watch_dir, chosen.ledger_path
    sent = "select coalesce(sum(jobs), 0) as jobs from counts where state = 'submitted'"
    left = "select exists (select 1 from jobs where deleted_at is null) as jobs"
    there: deque[str] = deque()
    with Agent(chosen):
        for first in range(0, pictures, FOLDER):
            there.append(f"from_{first:07}")
            (inbox / there[-1]).mkdir()
            for number in range(FOLDER):
                (inbox / there[-1] / f"img_{number:03}.bmp").write_bytes(picture(first + number))
            done = first + FOLDER
            while len(there) > (0 if done % every == 0 else AT_ONCE):
                eventually(partial(_is, ledger, OF_FOLDER.format(there[0]), FOLDER), PATIENCE, every=0.05)
                shutil.rmtree(inbox / there.popleft())
            if not there:
                eventually(partial(_is, ledger, sent, done), PATIENCE)
                eventually(partial(_is, ledger, left, 0), PATIENCE, every=0.2)
                print(json.dumps([done, measured()]), flush=True)  # noqa: T201 (it is read by who started this)


def _is(ledger: Path, asked: str, wanted: int) -> bool:
    return bool(query(ledger, asked)[0]["jobs"] == wanted)


def main(place: str, pictures: str, every: str, *how: str) -> None:
    """Do so in a place; the numbers are as in the module's docstring."""
    target: Any = MakesJobs()
    assembly.target_of = lambda settings: target
    if how:
        tracemalloc.start()
    live(Path(place), int(pictures), int(every), traced if how else resident)


if __name__ == "__main__":
    main(*sys.argv[1:])
