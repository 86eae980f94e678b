"""What the agent costs while nothing happens, with 10,000 folders.

Each folder holds one file that the ledger knows. The processor time (user and system) of 20 s as a share of one core,
once a whole second has gone by with next to none; the median of as many times 20 s as there are runs. Memory is VmRSS
at the end.
"""

from __future__ import annotations

from statistics import median

from tests.benchmarks import trees
from tests.benchmarks.measure import Bench, Figure, Row
from tests.benchmarks.running import Running


def idle(bench: Bench) -> list[Row]:
    """Judge the share of one core."""
    folders, seconds = bench.size(10_000, 20), bench.size(20, 0.5)
    tree = trees.folders_of_frames(bench, folders, 1)
    with bench.place() as place:
        trees.know(place, tree)
        with Running(place, WATCH_DIR=str(tree), WATCH_RESCAN_SECONDS="300") as agent:
            agent.until(agent.has_scanned)
            agent.rests(bench.size(1, 0.3))
            shares = [agent.share_of_core(seconds) for _ in range(bench.repeat)]
            resident = agent.memory_mib("VmRSS")
    percent = 100 * median(shares)
    figures = (Figure("", percent, "% of one core", 0.15), Figure("resident", resident, "MiB", 80))
    return [Row("idle", f"{folders:,} folders", figures)]
