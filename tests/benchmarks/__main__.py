"""The benchmarks in one command: `python -m tests.benchmarks [NAME…]` measures those that are named, or all but `vast`.

It prints what was measured beside what it must reach, each against a reference in the same run on the same files, and
writes a chart. Medians of `--repeat` runs. The exit code is 1 where a bound is missed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from tests.benchmarks import chart, felt, scans
from tests.benchmarks.baseline import baseline
from tests.benchmarks.bursts import burst
from tests.benchmarks.first import first
from tests.benchmarks.flat import flat
from tests.benchmarks.fleet import fleet
from tests.benchmarks.idle import idle
from tests.benchmarks.images import images
from tests.benchmarks.latency import latency
from tests.benchmarks.ledgers import ledger, status
from tests.benchmarks.measure import Bench, Missing, Row
from tests.benchmarks.memory import memory
from tests.benchmarks.pages import page
from tests.benchmarks.posting import example, jobs, jobs0
from tests.benchmarks.publishing import publishing
from tests.benchmarks.sequences import sequences
from tests.benchmarks.sharing import sharing
from tests.benchmarks.table import table, write_json

if TYPE_CHECKING:
    from collections.abc import Callable

BENCHMARKS: dict[str, Callable[[Bench], list[Row]]] = {
    "scan": scans.scan,
    "restart": scans.restart,
    "idle": idle,
    "baseline": baseline,
    "first": first,
    "flat": flat,
    "burst": burst,
    "latency": latency,
    "jobs": jobs,
    "jobs0": jobs0,
    "example": example,
    "sequences": sequences,
    "publishing": publishing,
    "images": images,
    "status": status,
    "ledger": ledger,
    "page": page,
    "memory": memory,
    "fleet": fleet,
    "sharing": sharing,
    "commands": felt.commands,
    "path": felt.path,
    "start": felt.start,
    "resident": felt.resident,
    "growth": scans.growth,
}

NAMED: dict[str, Callable[[Bench], list[Row]]] = {"vast": scans.vast}
"""Run where they are named: they take a quarter of an hour."""

BY_TURNS = (
    "scan", "restart", "idle", "baseline", "first", "flat", "jobs", "commands", "path", "start", "resident", "vast",
)  # fmt: skip


def measured(name: str, bench: Bench, log: Console) -> list[Row]:
    """Run a benchmark, saying that it is under way, and how long it took."""
    os.sync()  # what the one before has left to be written or deleted would disturb this one
    started = time.monotonic()
    with log.status(name):
        try:
            rows = {**BENCHMARKS, **NAMED}[name](bench)
        except Missing as missing:
            rows = [Row(name, "", missing=f"reference missing: {missing}")]
    log.print(f"{name}: {time.monotonic() - started:.1f} s", highlight=False)
    return rows


def draw(bench: Bench, log: Console) -> None:
    """Write the chart of `growth`."""
    path = bench.out / "growth.svg"
    try:
        # By a process of its own: matplotlib brings NumPy, which would stay beside what is measured.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:
            apart.submit(chart.draw, path, scans.lines(bench)).result()
    except Missing as missing:
        log.print(f"The chart is left out: {missing}.", highlight=False)
    else:
        log.print(f"chart: {path}", highlight=False, soft_wrap=True)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHMARKS)}; {', '.join(NAMED)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here, too")
    out = Path("build/benchmarks")
    told = f"where the chart goes ({out}); trees of files, and environments, are kept there for the next run"
    parser.add_argument("--out", type=Path, default=out, metavar="FOLDER", help=told)
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="runs of each (5)")
    parser.add_argument(
        "--against", type=Path, metavar="CLONE", help="measure this clone, too, by turns: " + ", ".join(BY_TURNS)
    )
    parser.add_argument("--small", action="store_true", help="tiny sizes, once: shows that all of it runs, judges none")
    chosen = parser.parse_args()
    unknown = ", ".join(name for name in chosen.names if name not in {**BENCHMARKS, **NAMED})
    if unknown:
        parser.error(f"no such benchmark: {unknown}")
    return chosen


def main() -> int:
    """Measure, and print the table: of what was measured, should a benchmark fail."""
    chosen = arguments()
    judged = not chosen.small
    names = chosen.names or list(BENCHMARKS)
    log = Console(stderr=True)
    rows: list[Row] = []
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        bench = Bench(
            1 if chosen.small else chosen.repeat,
            chosen.small,
            chosen.out.absolute(),
            executor,
            chosen.against and chosen.against.absolute(),
        )
        try:
            for name in names:
                rows += measured(name, bench, log)
            if "growth" in names:
                draw(bench, log)
        finally:
            Console(width=None if sys.stdout.isatty() else 200).print(table(rows, judged=judged))
            if chosen.json:
                write_json(chosen.json, rows, judged=judged)
    return int(judged and any(row.is_met is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
