"""A burst of files, until the agent has seen every one, against watchman on a burst just like it.

The burst is made by a process of its own, as fast as it can: files of 100 bytes are written where they belong, or are
renamed into the watch folder from beside it; into one folder that was there, or into 100 that are made in the burst.

- ours: from just before the burst's first file or folder until every folder's `settling` row is committed with all its
  files in `frame_count`. The first scan was over before, and the settle time never ends.
- the reference: the same until watchman has reported every name; it is asked every 10 ms, as the ledger is.
- `lost` counts files that are in no row a minute after the burst's end; memory is VmHWM.

What bursts of 10,000 files leave is deleted after the last measurement: ext4 passes over the inodes that were deleted
within the last minutes, one by one, which makes writing 10,000 files take 0.4 to 3 s in place of 0.1 (measured on
Linux 6.18; `recently_deleted` takes half of the processor's time). 100,000 would leave too much, and differ less.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tests.benchmarks.measure import TIMES, Bench, Figure, Row, median_of, take_turns
from tests.benchmarks.running import SETTLES_NEVER, Running
from tests.benchmarks.trees import put
from tests.benchmarks.watchman import Watchman, program

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONTENT = b"x" * 100
POLL = 0.01
PATIENCE = 60.0
MOST_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Burst:
    """So many folders of so many files each, written or renamed."""

    folders: int
    frames: int
    renamed: bool

    @property
    def files(self) -> int:
        """All files together."""
        return self.folders * self.frames

    @property
    def told(self) -> str:
        """The burst in words."""
        where = "one folder" if self.folders == 1 else f"{self.folders} new folders"
        return f"{self.files:,} files, {'renamed' if self.renamed else 'written'}, {where}"

    def prepare(self, place: Path) -> None:
        """Make what is there before the burst: the one folder, and the files that are renamed."""
        (place / "inbox").mkdir()
        if self.folders == 1:
            (place / "inbox" / "cam_000").mkdir()
        if self.renamed:
            (place / "beside").mkdir()
            for number in range(self.files):
                put(str(place / "beside" / str(number)), CONTENT)
            os.sync()

    def make(self, place: str) -> tuple[float, float]:
        """Make the burst; return the times before its first file and after its last."""
        started = time.monotonic()
        for folder in range(self.folders):
            path = f"{place}/inbox/cam_{folder:03d}"
            if self.folders > 1:
                os.mkdir(path)
            for frame in range(self.frames):
                name = f"{path}/frame_{frame:06d}.jpg"
                if self.renamed:
                    os.rename(f"{place}/beside/{folder * self.frames + frame}", name)
                else:
                    put(name, CONTENT)
        return started, time.monotonic()


@dataclass(frozen=True, slots=True)
class Seen:
    """How a burst was seen: the seconds until all of it was, how many files were not, and the agent's peak memory."""

    seconds: float
    lost: int
    peak_mib: float = 0.0


def burst(bench: Bench) -> list[Row]:
    """Judge every kind of burst. Raises Missing."""
    program()
    files = (60,) if bench.small else (10_000, 100_000)
    folders = bench.size(100, 3)
    kinds = [
        Burst(count, total // count, renamed) for total in files for renamed in (False, True) for count in (1, folders)
    ]
    with bench.place() as kept:
        return [_row(bench, kind, kept) for kind in (kinds[1:3] if bench.small else kinds)]


def _row(bench: Bench, kind: Burst, kept: Path) -> Row:
    where = kept if kind.files <= MOST_KEPT else None
    ours, theirs = take_turns(bench.repeat, partial(_agent, bench, kind, where), partial(_watchman, bench, kind, where))
    seconds, their_seconds = (median_of(each, lambda seen: seen.seconds) for each in (ours, theirs))
    figures = (
        Figure("ratio", seconds / their_seconds, TIMES, 2.0),
        Figure("", seconds, "s"),
        Figure("lost", max(seen.lost for seen in ours), "", 0),
        Figure("peak", median_of(ours, lambda seen: seen.peak_mib), "MiB", 150),
    )
    return Row("burst", kind.told, figures, f"watchman: {their_seconds:.3g} s")


def _agent(bench: Bench, kind: Burst, kept: Path | None) -> Seen:
    with bench.place(kept) as place:
        kind.prepare(place)
        with Running(place, SEQUENCE_SETTLE_SECONDS=SETTLES_NEVER) as agent:
            agent.until(agent.has_scanned)
            seen = _seen(bench, kind, place, partial(_frames, agent))
            uneven = agent.ask("select count(*) from jobs where frame_count <> ?", kind.frames)[0]
            assert seen.lost or (agent.jobs("settling"), uneven) == (kind.folders, 0)
            return Seen(seen.seconds, seen.lost, agent.memory_mib("VmHWM"))


def _frames(agent: Running) -> int:
    agent.tend()
    return agent.counts().get("settling", (0, 0))[1]


def _watchman(bench: Bench, kind: Burst, kept: Path | None) -> Seen:
    with bench.place(kept) as place:
        kind.prepare(place)
        with Watchman(place / "inbox") as watchman:
            return _seen(bench, kind, place, watchman.look)


def _seen(bench: Bench, kind: Burst, place: Path, count: Callable[[], int]) -> Seen:
    """Have the burst made, and count until all of it is there."""
    making = bench.executor.submit(kind.make, str(place))
    while (seen := count()) < kind.files:
        if making.done() and time.monotonic() > making.result()[1] + PATIENCE:
            break
        time.sleep(POLL)
    return Seen(time.monotonic() - making.result()[0], kind.files - seen)
