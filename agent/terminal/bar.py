"""A bar that keeps to its line: how far sending is, with what is logged meanwhile above it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import filesize
from rich.cells import cell_len
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
from rich.text import Text

from agent.terminal.words import INDENT, wrapped

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from rich.console import Console
    from rich.progress import Task

BESIDE = 42
"""Columns for the bar itself, the rate and the time left, at their widest."""
RATE_SECONDS = 60.0
"""Over how long the rate is taken: a sequence's bytes come at once."""

Far = tuple[int, int]
"""How many are done, and of how many."""


class _Rate(ProgressColumn):
    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        return Text(f"{filesize.decimal(int(task.speed))}/s" if task.speed and not _is_over(task) else "")


class _Left(ProgressColumn):
    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        left = None if task.total is None or _is_over(task) else task.time_remaining
        return Text("" if left is None else f"{span(left)} left")


class Bar:
    """The bar of what is sent. A context manager; it is a part of a larger picture where it is not entered."""

    def __init__(self, console: Console) -> None:
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            *(TextColumn(f"{{task.fields[{name}]}}") for name in ("jobs", "files", "size")),
            _Rate(),
            _Left(),
            console=console,
            expand=True,
            speed_estimate_period=RATE_SECONDS,
        )
        self._console = console
        self._task = self.progress.add_task("", total=None, jobs="", files="", size="")

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop_task(self._task)
        self.progress.stop()

    def show(self, doing: str, jobs: Far, files: Far, size: Far) -> None:
        """Show how far it is, in the words that there is room for."""
        doing, sent, of_files, amount = fitting(self._console.width, doing, jobs, files, size)
        self.progress.update(
            self._task,
            total=size[1] or None,
            completed=size[0],
            description=doing,
            jobs=sent,
            files=of_files,
            size=amount,
        )


def above(console: Console, lines: str) -> None:
    """Print lines above what a console shows live, broken between words; JSON stays as it is."""
    parts: list[str] = []
    for line in lines.split("\n"):
        parts += [line] if line.startswith("{") else wrapped(line, console.width, INDENT)
    # At once, so that no other thread's come between.
    console.print(Text("\n".join(parts)), soft_wrap=True)


def fitting(width: int, doing: str, jobs: Far, files: Far, size: Far) -> tuple[str, str, str, str]:
    """Return what is said beside the bar: what is done, jobs, files, bytes; the first two where there is room."""
    texts = [doing, f"{_of(jobs)} jobs", f"{_of(files)} files", amount(*size)]
    for index in (1, 0):
        if sum(map(cell_len, texts)) + len(texts) > width - BESIDE:
            texts[index] = ""
    return texts[0], texts[1], texts[2], texts[3]


def amount(done: int, total: int) -> str:
    """Return how many bytes of how many, as `17.9/19.1 MB`."""
    unit, name = filesize.pick_unit_and_suffix(total, ["B", "kB", "MB", "GB", "TB", "PB"], 1000)
    digits = 0 if unit == 1 else 1
    return f"{done / unit:,.{digits}f}/{total / unit:,.{digits}f} {name}"


def span(seconds: float) -> str:
    """Return a time as `0:07`, or `27:46:40`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _is_over(task: Task) -> bool:
    return task.finished or task.stop_time is not None


def _of(far: Far) -> str:
    return f"{far[0]:,}/{far[1]:,}"
