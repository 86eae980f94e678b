"""What the agent costs while nothing happens, with 10,000 folders.

Each folder holds one file that the ledger knows. The processor time (user and system) of 20 s as a share of one core,
once a whole second has gone by with next to none. Memory is VmRSS at the end.

With `--against` another clone takes turns with this one.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from tests.benchmarks import trees
from tests.benchmarks.felt import Sides, judged
from tests.benchmarks.measure import Bench, Row
from tests.benchmarks.running import Running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.installed import Installed


class Took(NamedTuple):
    """What one run has taken."""

    percent: float
    resident: float


def idle(bench: Bench) -> list[Row]:
    """Judge the share of one core."""
    folders = bench.size(10_000, 20)
    tree = trees.folders_of_frames(bench, folders, 1)
    took = Sides(bench).each(partial(_idle, bench, tree))
    percent, others = judged(
        {side: [each.percent for each in runs] for side, runs in took.items()}, "% of one core", 0.15
    )
    resident, held = judged(
        {side: [each.resident for each in runs] for side, runs in took.items()}, "MiB", 80, "resident"
    )
    return [Row("idle", f"{folders:,} folders", (percent, resident), "; ".join(filter(None, (others, held))))]


def _idle(bench: Bench, tree: Path, side: Installed) -> Took:
    with bench.place() as place:
        side.know(place, tree)
        changed = {"WATCH_DIR": str(tree), "WATCH_RESCAN_SECONDS": "300", **side.environ}
        with Running(place, python=side.python, **changed) as agent:
            agent.until(agent.has_scanned)
            agent.rests(bench.size(1, 0.3))
            return Took(100 * agent.share_of_core(bench.size(20, 0.5)), agent.memory_mib("VmRSS"))
