"""A flat folder of 200,000 known images into which one new one comes every second: what that costs, and holds.

The share of one core, of the agent's own processor time, over 60 s, which is more than two of the short looks that it
takes at such a folder; memory is VmRSS at the end. It has settled into this for 40 s before. Nothing is sent.

With `--against` another clone takes turns with this one.
"""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from tests.benchmarks import trees
from tests.benchmarks.felt import Sides, judged
from tests.benchmarks.measure import Bench, Row
from tests.benchmarks.running import Running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.installed import Installed

EVERY = 1.0


class Took(NamedTuple):
    """What one run has taken."""

    percent: float
    resident: float


def flat(bench: Bench) -> list[Row]:
    """Judge the share of a core, and the memory."""
    count = bench.size(200_000, 50)
    tree = trees.images(bench, count, trees.SMALL)
    took = Sides(bench).each(partial(_flat, bench, tree))
    percent, others = judged({side: [each.percent for each in runs] for side, runs in took.items()}, "% of one core", 1)
    resident, held = judged(
        {side: [each.resident for each in runs] for side, runs in took.items()}, "MiB", 60, "resident"
    )
    reference = "; ".join(filter(None, (others, held)))
    return [Row("flat", f"{count:,} known images, one new a second", (percent, resident), reference)]


def _flat(bench: Bench, tree: Path, side: Installed) -> Took:
    with bench.place() as place:
        inbox = place / "inbox"
        inbox.mkdir()
        for entry in os.scandir(tree):
            os.link(entry.path, inbox / entry.name)
        side.know(place, inbox)
        with Running(place, python=side.python, SETTLE_SECONDS="2", **side.environ) as agent:
            agent.until(agent.has_scanned)
            _drop(agent, 0, bench.size(40, 1))
            before, started = agent.cpu_seconds(), time.monotonic()
            _drop(agent, 100, bench.size(60, 1))
            percent = 100 * (agent.cpu_seconds() - before) / (time.monotonic() - started)
            return Took(percent, agent.memory_mib("VmRSS"))


def _drop(agent: Running, first: int, count: int) -> None:
    for number in range(first, first + count):
        trees.put(str(agent.inbox / f"new_{number:05d}.jpg"), trees.jpeg(10**6 + number, trees.SMALL))
        at = time.monotonic() + EVERY
        agent.until(lambda at=at: time.monotonic() >= at, every=0.05)  # type: ignore[misc]
