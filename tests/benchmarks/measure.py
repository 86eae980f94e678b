"""What the benchmarks share: figures that are judged, rows of the table, and runs in which two things take turns."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor

T = TypeVar("T")
U = TypeVar("U")
P = ParamSpec("P")
TIMES = "\N{MULTIPLICATION SIGN}"
"""The unit of ratios."""


class Missing(Exception):
    """What a benchmark is measured against is not installed; the text says how to get it."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured number with its unit, and the bound that it must reach; without one it is shown and not judged."""

    name: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether the bound is reached."""
        return (self.at_most is None or self.value <= self.at_most) and (
            self.at_least is None or self.value >= self.at_least
        )

    @property
    def told(self) -> str:
        """The number in words."""
        return f"{self.name} {_number(self.value)} {self.unit}".strip()

    @property
    def bound(self) -> str:
        """The bound in words, '' where there is none."""
        bounds = (("≤", self.at_most), ("≥", self.at_least))
        words = [f"{sign} {_number(most)} {self.unit}" for sign, most in bounds if most is not None]
        return f"{self.name} {' and '.join(words)}".strip() if words else ""


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table. A figure named 'ratio' is ours against the reference; `reference` tells that one's own.

    `missing` says why there are no figures.
    """

    benchmark: str
    case: str
    figures: tuple[Figure, ...] = ()
    reference: str = ""
    missing: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether every bound is reached; None where nothing was measured."""
        return all(figure.is_met for figure in self.figures) if self.figures else None


@dataclass(frozen=True, slots=True)
class Bench:
    """How benchmarks are run: `repeat` times, in the small form or the full one, writing below `out`.

    `executor` is one process of its own, for what must not share an interpreter with the one that measures.
    `against` is another clone, to be measured by turns with this one.
    """

    repeat: int
    small: bool
    out: Path
    executor: Executor
    against: Path | None = None

    def size(self, full: T, small: T) -> T:
        """Return what is right for this form: a number of files, of seconds, or anything else."""
        return small if self.small else full

    def apart(self, work: Callable[P, T], /, *values: P.args, **named: P.kwargs) -> T:
        """Do a piece of work in the other process and return what it gives."""
        return self.executor.submit(work, *values, **named).result()

    @contextlib.contextmanager
    def place(self, kept: Path | None = None) -> Iterator[Path]:
        """Give an empty folder that is removed at the end; within a folder that is `kept` it stays as long as that."""
        self.out.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix="place-", dir=kept or self.out))
        try:
            yield place
        finally:
            if kept is None:
                shutil.rmtree(place)


def take_turns(count: int, first: Callable[[], T], second: Callable[[], U]) -> tuple[list[T], list[U]]:
    """Call the two in turn, so many times each, and return what each gave: what disturbs one disturbs both."""
    firsts, seconds = [], []
    for _ in range(count):
        firsts.append(first())
        seconds.append(second())
    return firsts, seconds


def median_of(values: list[T], figure: Callable[[T], float]) -> float:
    """Return the median of a figure of each value."""
    return median(figure(value) for value in values)
