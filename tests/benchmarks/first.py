"""The first scan of 200,000 new images in one folder, until all are `pending`: time, processor time, writes, memory.

JPEGs of 800 bytes; a new ledger; a target that cannot be reached, so that nothing is sent. From READY until the last is
`pending`. The processor time is that of the agent and of its worker processes. What is written is what the kernel has
sent to the disk for it (`write_bytes` of proc(5), io); memory is VmHWM of the agent itself. The least: the same files
listed, read and hashed in one thread, and written as rows by the thousand, as in `baseline`.

With `--against` another clone takes turns with this one.
"""

from __future__ import annotations

import time
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from tests.benchmarks import trees
from tests.benchmarks.baseline import least_seconds
from tests.benchmarks.felt import Sides, judged
from tests.benchmarks.measure import Bench, Row
from tests.benchmarks.running import Running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.installed import Installed


class Took(NamedTuple):
    """What one run has taken."""

    seconds: float
    cpu: float
    written: float
    peak: float


def first(bench: Bench) -> list[Row]:
    """Judge the time, the processor time, the writes and the memory."""
    count = bench.size(200_000, 50)
    tree = trees.images(bench, count, trees.SMALL)
    sides = Sides(bench)
    took = sides.each(partial(_first, bench, tree, count))
    least = median(least_seconds(bench, tree) for _ in range(bench.repeat))
    figures, told = [], [f"the least: {least:.3g} s"]
    for place, (name, unit, most) in enumerate(
        (("", "s", 38), ("", "s CPU", 45), ("written", "GB", 1.2), ("peak", "MiB", 110))
    ):
        figure, other = judged({side: [each[place] for each in runs] for side, runs in took.items()}, unit, most, name)
        figures.append(figure)
        told.append(other)
    return [Row("first", f"{count:,} new images, pending", tuple(figures), "; ".join(filter(None, told)))]


def _first(bench: Bench, tree: Path, count: int, side: Installed) -> Took:
    changed = {"WATCH_DIR": str(tree), "SETTLE_SECONDS": "2", **side.environ}
    with bench.place() as place, Running(place, python=side.python, **changed) as agent:
        agent.until(lambda: sum(agent.jobs(state) for state in ("pending", "submitting")) == count, every=0.1)
        seconds = time.monotonic() - agent.ready_at
        return Took(seconds, agent.cpu_seconds_of_all(), agent.bytes_written() / 1e9, agent.memory_mib("VmHWM"))
