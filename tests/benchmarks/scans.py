"""Scanning a large tree, at the first start and at a later one, against `find` on the same tree.

- `scan`: from READY, which comes before the first scan, until every folder's `settling` row is committed with all its
  files; a new ledger, empty files (a scan reads none), a settle time that never ends.
- `restart`: the ledger knows every file and nothing has changed; from READY until the first scan is over
  (`last_scan_at` is committed).
- the reference: `find TREE -type f -printf '%s %T@ %p\\n' > /dev/null`, from its start to its end. Told beside it: what
  one thread of Python takes that lists these folders by `os.scandir`, asks for each file's status, and keeps nothing.
- memory is VmHWM at the same moment, the start included, of the agent and its processes together.
- `vast`: the first scan of 10,000,000 files in 10,000 folders (links to a few, which take no inodes), by turns with
  that of a tenth. It is run where it is named, and the trees, of 0.5 GB, are removed at the end.
- `growth`: the same for three sizes ten times apart, which take turns; the figure is cost per file against that of a
  tenth of the files.
"""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import time
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks import trees
from tests.benchmarks.felt import Sides
from tests.benchmarks.measure import TIMES, Bench, Figure, Row
from tests.benchmarks.running import SETTLES_NEVER, Running

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.benchmarks.installed import Installed

GROWTH = 1.15
POLL = 0.002


@dataclass(frozen=True, slots=True)
class Took:
    """A run's seconds, and its peak memory where it was the agent's."""

    seconds: float
    peak_mib: float = 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """The medians of one tree: seconds of the agent, of `find` and of listing alone, and the agent's peak memory."""

    files: int
    seconds: float
    peak_mib: float
    find_seconds: float
    listing_seconds: float
    other: str = ""
    """What another clone took, in words."""

    @property
    def cost(self) -> float:
        """Microseconds a file."""
        return 1e6 * self.seconds / self.files

    @property
    def find_cost(self) -> float:
        """The same of `find`."""
        return 1e6 * self.find_seconds / self.files


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree of empty files, so many in each folder."""

    path: Path
    folders: int
    frames: int

    @property
    def counts(self) -> tuple[int, int]:
        """Its units and files, as the ledger counts them."""
        return self.folders, self.folders * self.frames


def scan(bench: Bench) -> list[Row]:
    """Judge the first scan of the largest tree."""
    return [_row("scan", first_scans(bench)[-1], times=1.1, peak_mib=90)]


def restart(bench: Bench) -> list[Row]:
    """Judge a later start on the largest tree."""
    return [_row("restart", later_starts(bench)[-1], times=1.3, peak_mib=90)]


def growth(bench: Bench) -> list[Row]:
    """Judge how the cost of a file grows with the number of files."""
    rows = []
    for name, measured in (("scan", first_scans(bench)), ("restart", later_starts(bench))):
        for small, large in pairwise(measured):
            figures = (Figure("ratio", large.cost / small.cost, TIMES, GROWTH), Figure("", large.cost, "µs a file"))
            case = f"{name}, {small.files:,} → {large.files:,} files"
            rows.append(Row("growth", case, figures, f"{small.cost:.3g} µs a file"))
    return rows


def vast(bench: Bench) -> list[Row]:
    """Judge the first scan of ten million files, against `find` and against a million."""
    sizes = bench.size([(1000, 1000), (10_000, 1000)], [(2, 50), (20, 50)])
    made = [Tree(trees.folders_of_links(bench, *size), *size) for size in sizes]
    try:
        small, large = _in_rounds(bench, {tree: partial(_first_scan, bench, tree) for tree in made})
    finally:
        for tree in made:
            trees.drop(tree.path)
    row = _row("vast", large, times=1.3, peak_mib=300)
    growth = Figure("cost of a file", large.cost / small.cost, TIMES, GROWTH)
    return [replace(row, figures=(*row.figures, growth))]


def lines(bench: Bench) -> dict[str, list[tuple[int, float]]]:
    """Return the points of the chart, (files, microseconds a file) of each line."""
    return {
        "first scan": [(each.files, each.cost) for each in first_scans(bench)],
        "restart, all known": [(each.files, each.cost) for each in later_starts(bench)],
        "find": [(each.files, each.find_cost) for each in first_scans(bench)],
    }


def _row(name: str, measured: Measured, *, times: float, peak_mib: float) -> Row:
    told = (
        f"find: {measured.find_seconds:.3g} s",
        f"os.scandir and stat alone: {measured.listing_seconds:.3g} s",
        measured.other,
    )
    return Row(
        name,
        f"{measured.files:,} files",
        (
            Figure("ratio", measured.seconds / measured.find_seconds, TIMES, times),
            Figure("", measured.seconds, "s"),
            Figure("peak", measured.peak_mib, "MiB", peak_mib),
        ),
        "; ".join(filter(None, told)),
    )


@functools.cache
def first_scans(bench: Bench) -> list[Measured]:
    """Measure the first scan of each tree."""
    return _in_rounds(bench, {tree: partial(_first_scan, bench, tree) for tree in _trees(bench)})


@functools.cache
def later_starts(bench: Bench) -> list[Measured]:
    """Measure a later start on each tree."""
    with contextlib.ExitStack() as places:
        runs = {}
        for tree in _trees(bench):
            known = {}
            for side in Sides(bench).once(lambda side: side).values():
                known[side] = places.enter_context(bench.place())
                side.know(known[side], tree.path)
            runs[tree] = partial(_later_start, known, tree)
        return _in_rounds(bench, runs)


def _trees(bench: Bench) -> list[Tree]:
    """Return the trees, the smallest first."""
    sizes = bench.size([(10, 1000), (100, 1000), (1000, 1000)], [(2, 50), (20, 50)])
    return [Tree(trees.folders_of_frames(bench, *size), *size) for size in sizes]


def _in_rounds(bench: Bench, runs: Mapping[Tree, Callable[[Installed], Took]]) -> list[Measured]:
    """Measure each tree once in every round: what disturbs one size for a while disturbs all."""
    sides = Sides(bench)
    took: dict[Tree, list[tuple[dict[str, Took], Took, float]]] = {tree: [] for tree in runs}
    for tree in runs:
        _find(tree)  # from here on all of it is in the kernel's caches
    for _ in range(bench.repeat):
        for tree, run in runs.items():
            took[tree].append((sides.once(run), _find(tree), bench.apart(listing_seconds, tree.path)))
    return [
        Measured(
            tree.folders * tree.frames,
            median(ours[""].seconds for ours, *_ in rounds),
            median(ours[""].peak_mib for ours, *_ in rounds),
            median(find.seconds for _, find, _ in rounds),
            median(listing for *_, listing in rounds),
            "; ".join(
                f"{name}: {median(ours[name].seconds for ours, *_ in rounds):.3g} s" for name in rounds[0][0] if name
            ),
        )
        for tree, rounds in took.items()
    ]


def _first_scan(bench: Bench, tree: Tree, side: Installed) -> Took:
    never = {"WATCH_DIR": str(tree.path), "SEQUENCE_SETTLE_SECONDS": SETTLES_NEVER, **side.environ}
    with bench.place() as place, Running(place, python=side.python, **never) as agent:
        return _took(agent, agent.until(lambda: agent.counts().get("settling") == tree.counts, POLL))


def _later_start(known: Mapping[Installed, Path], tree: Tree, side: Installed) -> Took:
    with Running(known[side], python=side.python, WATCH_DIR=str(tree.path), **side.environ) as agent:
        took = _took(agent, agent.until(agent.has_scanned, POLL))
        assert agent.counts() == {"ignored": tree.counts, "settling": (0, 0)}
        return took


def _took(agent: Running, until: float) -> Took:
    return Took(until - agent.ready_at, agent.memory_of_all_mib("VmHWM"))


def _find(tree: Tree) -> Took:
    before = time.monotonic()
    command = ["find", str(tree.path), "-type", "f", "-printf", r"%s %T@ %p\n"]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return Took(time.monotonic() - before)


def listing_seconds(tree: Path) -> float:
    """Return how many seconds it takes to list all folders of a tree and to ask for the status of each file."""
    before = time.monotonic()
    for folder in sorted(os.listdir(tree)):
        with os.scandir(tree / folder) as entries:
            for entry in entries:
                entry.stat(follow_symlinks=False)
    return time.monotonic() - before
