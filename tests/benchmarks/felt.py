"""What a person feels: commands, a question by path, the start and the size of `run`; each beside bare Python.

With `--against` another clone takes turns with this one, in an environment of its own kind, and is told beside it.

- `commands`: processor time and highest memory of `--version`, `status` and `explain`, with 1,000,000 jobs.
- `path`: the README's `select … where path = …` of 1,000,000 jobs, by a connection that has asked nothing before.
- `start`: processor time until READY, with a new ledger and with one of 1,000,000 jobs.
- `resident`: what `run` holds once it rests, with 1 and with 10,000 folders, all watched.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, TypeVar

from tests.benchmarks import ledgers
from tests.benchmarks.installed import ROOT, Cost, Installed, installed
from tests.benchmarks.measure import Bench, Figure, Row
from tests.benchmarks.running import NOWHERE, Running
from tests.support import environ

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")
SEEN = "cam/frame_0000000500.jpg"
ASKED = f"select path, frame_count, reference_id, job_id from jobs where path = '{SEEN}'"
COMMANDS = (
    ("--version", ("--version",), 0.10),
    ("status", ("status",), 0.16),
    ("explain", ("explain", SEEN), 0.35),
)
MOST_MIB = 22


class Sides:
    """This clone, and another one where one is given."""

    def __init__(self, bench: Bench) -> None:
        clones = {"": ROOT} | ({bench.against.name: bench.against} if bench.against else {})
        self._sides = {name: installed(bench, clone) for name, clone in clones.items()}
        self._repeat = bench.repeat

    def each(self, work: Callable[[Installed], T]) -> dict[str, list[T]]:
        """Return what a piece of work gives for each side, by turns; '' is this clone."""
        found: dict[str, list[T]] = {name: [] for name in self._sides}
        for _ in range(self._repeat):
            for name, given in self.once(work).items():
                found[name].append(given)
        return found

    def once(self, work: Callable[[Installed], T]) -> dict[str, T]:
        """Return what a piece of work gives once for each side."""
        return {name: work(side) for name, side in self._sides.items()}

    def places(self, place: Path, count: int) -> dict[Installed, Path]:
        """Return a folder for each side, with a ledger of so many jobs that its version has made, and no file."""
        found = {}
        for number, side in enumerate(self._sides.values()):
            found[side] = place / str(number)
            (found[side] / "inbox").mkdir(parents=True)
            if count:
                side.make_ledger(found[side] / "ledger.db")
                _fill(found[side] / "ledger.db", count)
        return found


def _fill(path: Path, count: int) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as sql:
        for first in range(1, count + 1, ledgers.PART):
            span = (first, min(first + ledgers.PART - 1, count))
            sql.execute("begin")
            sql.execute(ledgers.ROWS, span)
            sql.execute(ledgers.FRAMES, span)
            sql.execute("commit")


def judged(found: dict[str, list[float]], unit: str, most: float, name: str = "") -> tuple[Figure, str]:
    """Return the figure of this clone, and what the other one has."""
    medians = {side: median(values) for side, values in found.items()}
    others = [f"{side}: {value:.3g} {unit}" for side, value in medians.items() if side]
    return Figure(name, medians[""], unit, most), "; ".join(others)


def commands(bench: Bench) -> list[Row]:
    """Judge each command."""
    count = bench.size(1_000_000, 1000)
    rows = []
    with bench.place() as place:
        sides = Sides(bench)
        places = sides.places(place, count)
        bare = median(cost.seconds for cost in sides.each(lambda side: side.cost(place, "-c", "pass"))[""])
        for name, arguments, most in COMMANDS:
            costs = sides.each(partial(_cost, places, arguments))
            taken = {side: [cost.seconds for cost in each] for side, each in costs.items()}
            held = {side: [cost.mib for cost in each] for side, each in costs.items()}
            seconds, slow = judged(taken, "s CPU", most)
            peak, large = judged(held, "MiB", MOST_MIB, "peak")
            told = "; ".join(filter(None, (f"bare Python: {bare:.2g} s CPU", slow, large)))
            rows.append(Row("commands", f"{name}, {count:,} jobs", (seconds, peak), told))
    return rows


def _cost(places: dict[Installed, Path], arguments: tuple[str, ...], side: Installed) -> Cost:
    where = places[side]
    return side.cost(where, "-m", "agent", *arguments, settings=environ(where, NOWHERE))


def path(bench: Bench) -> list[Row]:
    """Judge the question by path."""
    count = bench.size(1_000_000, 1000)
    with bench.place() as place:
        sides = Sides(bench)
        places = sides.places(place, count)
        figure, other = judged(sides.each(lambda side: _asked(places[side] / "ledger.db")), "ms", 10)
    return [Row("path", f"where path = …, {count:,} jobs", (figure,), other)]


def _asked(path: Path) -> float:
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as sql:
        started = time.monotonic()
        found = sql.execute(ASKED).fetchall()
        milliseconds = 1000 * (time.monotonic() - started)
    assert len(found) == 1
    return milliseconds


def start(bench: Bench) -> list[Row]:
    """Judge the starts."""
    rows = []
    for count in (0, bench.size(1_000_000, 1000)):
        with bench.place() as place:
            sides = Sides(bench)
            figure, other = judged(sides.each(partial(_started, sides.places(place, count))), "s CPU", 0.5)
        rows.append(Row("start", f"READY, {count:,} jobs" if count else "READY, empty", (figure,), other))
    return rows


def _started(places: dict[Installed, Path], side: Installed) -> float:
    with Running(places[side], python=side.python, **side.environ) as agent:
        return agent.cpu_seconds()


def resident(bench: Bench) -> list[Row]:
    """Judge what it holds."""
    rows = []
    for folders, most in ((1, 38), (bench.size(10_000, 20), 47)):
        with bench.place() as place:
            sides = Sides(bench)
            places = sides.places(place, 0)
            for where in places.values():
                for number in range(folders - 1):
                    (where / "inbox" / f"drive_{number:05}").mkdir()
            figure, other = judged(sides.each(partial(_held, bench, places)), "MiB", most)
        rows.append(Row("resident", f"{folders:,} folder{'s' if folders > 1 else ''}", (figure,), other))
    return rows


def _held(bench: Bench, places: dict[Installed, Path], side: Installed) -> float:
    with Running(places[side], python=side.python, **side.environ) as agent:
        agent.until(agent.has_scanned)
        agent.rests(bench.size(2, 0.3))
        return agent.memory_mib("VmRSS")
