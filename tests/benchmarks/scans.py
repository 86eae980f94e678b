"""Scanning a large tree, at the first start and at a later one, against `find` on the same tree.

- `scan`: from READY, which comes before the first scan, until every folder's `settling` row is committed with all its
  files; a new ledger, empty files (a scan reads none), a settle time that never ends.
- `restart`: the ledger knows every file and nothing has changed; from READY until the first scan is over
  (`last_scan_at` is committed).
- the reference: `find TREE -type f -printf '%s %T@ %p\\n' > /dev/null`, from its start to its end.
- memory is VmHWM at the same moment, the start included.
- `growth`: the same for three sizes ten times apart; the figure is cost per file against that of a tenth of the files.
"""

from __future__ import annotations

import functools
import subprocess
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from tests.benchmarks import trees
from tests.benchmarks.measure import TIMES, Bench, Figure, Row, median_of, take_turns
from tests.benchmarks.running import SETTLES_NEVER, Running

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GROWTH = 1.15
POLL = 0.002


@dataclass(frozen=True, slots=True)
class Took:
    """A run's seconds, and its peak memory where it was the agent's."""

    seconds: float
    peak_mib: float = 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """The medians of one tree: seconds of the agent and of `find`, and the agent's peak memory."""

    files: int
    seconds: float
    peak_mib: float
    find_seconds: float

    @property
    def cost(self) -> float:
        """Microseconds a file."""
        return 1e6 * self.seconds / self.files

    @property
    def find_cost(self) -> float:
        """The same of `find`."""
        return 1e6 * self.find_seconds / self.files


def sizes(bench: Bench) -> list[tuple[int, int]]:
    """Return the trees of the benchmarks as (folders, files in each), the smallest first."""
    return [(2, 50), (20, 50)] if bench.small else [(10, 1000), (100, 1000), (1000, 1000)]


def scan(bench: Bench) -> list[Row]:
    """Judge the first scan of the largest tree."""
    return [_row("scan", first_scan(bench, *sizes(bench)[-1]), times=2.0, peak_mib=100)]


def restart(bench: Bench) -> list[Row]:
    """Judge a later start on the largest tree."""
    return [_row("restart", later_start(bench, *sizes(bench)[-1]), times=2.5, peak_mib=80)]


def growth(bench: Bench) -> list[Row]:
    """Judge how the cost of a file grows with the number of files."""
    rows = []
    for name, measure in (("scan", first_scan), ("restart", later_start)):
        for small, large in pairwise(measure(bench, *size) for size in sizes(bench)):
            figures = (Figure("ratio", large.cost / small.cost, TIMES, GROWTH), Figure("", large.cost, "µs a file"))
            case = f"{name}, {small.files:,} → {large.files:,} files"
            rows.append(Row("growth", case, figures, f"{small.cost:.3g} µs a file"))
    return rows


def lines(bench: Bench) -> dict[str, list[tuple[int, float]]]:
    """Return the points of the chart, (files, microseconds a file) of each line."""
    starts = [(first_scan(bench, *size), later_start(bench, *size)) for size in sizes(bench)]
    return {
        "first scan": [(first.files, first.cost) for first, _ in starts],
        "restart, all known": [(later.files, later.cost) for _, later in starts],
        "find": [(first.files, first.find_cost) for first, _ in starts],
    }


def _row(name: str, measured: Measured, *, times: float, peak_mib: float) -> Row:
    return Row(
        name,
        f"{measured.files:,} files",
        (
            Figure("ratio", measured.seconds / measured.find_seconds, TIMES, times),
            Figure("", measured.seconds, "s"),
            Figure("peak", measured.peak_mib, "MiB", peak_mib),
        ),
        f"find: {measured.find_seconds:.3g} s",
    )


@functools.cache
def first_scan(bench: Bench, folders: int, frames: int) -> Measured:
    """Measure the first scan."""
    tree = trees.folders_of_frames(bench, folders, frames)

    def run() -> Took:
        never = {"WATCH_DIR": str(tree), "SEQUENCE_SETTLE_SECONDS": SETTLES_NEVER}
        with bench.place() as place, Running(place, **never) as agent:
            everything = (folders, folders * frames)
            return _took(agent, agent.until(lambda: agent.counts().get("settling") == everything, POLL))

    return _measured(bench, tree, folders * frames, run)


@functools.cache
def later_start(bench: Bench, folders: int, frames: int) -> Measured:
    """Measure a later start."""
    tree = trees.folders_of_frames(bench, folders, frames)
    with bench.place() as place:
        trees.know(place, tree)

        def run() -> Took:
            with Running(place, WATCH_DIR=str(tree)) as agent:
                took = _took(agent, agent.until(agent.has_scanned, POLL))
                assert agent.counts() == {"ignored": (folders, folders * frames), "settling": (0, 0)}
                return took

        return _measured(bench, tree, folders * frames, run)


def _took(agent: Running, until: float) -> Took:
    return Took(until - agent.ready_at, agent.memory_mib("VmHWM"))


def _measured(bench: Bench, tree: Path, files: int, run: Callable[[], Took]) -> Measured:
    _find(tree)  # from here on all of it is in the kernel's caches
    ours, finds = take_turns(bench.repeat, run, lambda: _find(tree))
    seconds = median_of(ours, lambda took: took.seconds)
    peak = median_of(ours, lambda took: took.peak_mib)
    return Measured(files, seconds, peak, median_of(finds, lambda took: took.seconds))


def _find(tree: Path) -> Took:
    before = time.monotonic()
    command = ["find", str(tree), "-type", "f", "-printf", r"%s %T@ %p\n"]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return Took(time.monotonic() - before)
