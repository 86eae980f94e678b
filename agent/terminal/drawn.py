"""What is drawn on a terminal, by Rich: nothing that is read by a script, or that a service does, needs it."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from agent.core.states import ATTENTION, State
from agent.model.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping


STYLES: Mapping[str, str] = {
    State.SETTLING: "yellow",
    State.PENDING: "cyan",
    State.SUBMITTING: "cyan",
    State.SUBMITTED: "green",
    State.COMPLETED: "green",
    **dict.fromkeys(ATTENTION, "red"),
}
UNBROKEN = frozenset({"action", "kind", "state", "jobs", "frames", "error_code", "oldest", "newest"})
MILLISECONDS = re.compile(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\.\d{3}Z$")


class Screen:
    """The terminal that the standard output is."""

    def __init__(self) -> None:
        self._console = Console()

    @property
    def width(self) -> int:
        """How many characters a line has."""
        return self._console.width

    def table(self, columns: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> None:
        """Draw rows, but for columns that hold nothing; times have no milliseconds."""
        shown = [{column: _brief(row[column]) for column in columns} for row in rows]
        used = [column for column in columns if any(row[column] for row in shown)]
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for column in used:
            number = column in {"jobs", "frames"}
            table.add_column(column, justify="right" if number else "left", overflow="fold", no_wrap=column in UNBROKEN)
        for row in shown:
            style = STYLES.get(row.get("state", ""), "")
            table.add_row(*(Text(row[column], style if column == "state" else "") for column in used))
        self._console.print(table)


@contextlib.contextmanager
def bar(what: str, *, disable: bool = False) -> Iterator[Callable[[str, int, int | None], None]]:
    """Draw a bar on the standard error as long as the block runs; what is given takes its text, how many, and of what.

    It begins with the text `what`.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=disable) as progress:
        task = progress.add_task(what, total=None)
        yield lambda text, done, total: progress.update(task, description=text, completed=done, total=total)


def _brief(value: object) -> str:
    """Return a value as a person reads it."""
    if isinstance(value, int):
        return f"{value:,}"
    return MILLISECONDS.sub(r"\1 \2Z", printable(str(value)))
