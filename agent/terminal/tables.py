"""Rows as a table on a terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.core.states import ATTENTION, State
from agent.model.text import printable
from agent.terminal.words import INDENT, longest_word, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

STYLES: Mapping[str, str] = {
    State.SETTLING: "yellow",
    State.PENDING: "cyan",
    State.SUBMITTING: "cyan",
    State.SUBMITTED: "green",
    State.COMPLETED: "green",
    **dict.fromkeys(ATTENTION, "red"),
}
NUMBERS = frozenset(
    {"jobs", "frames", "waiting", "submitted", "completed", "attention", "silent_s", "settling", "sent"}
)
UNBROKEN = frozenset({"action", "kind", "state", "error_code", "oldest", "newest", *NUMBERS})
PLAIN = frozenset({"folder", "path", "reason", "why"})
"""Columns whose values say by themselves what they are."""
FIRST = frozenset({"folder"})
"""Columns that say what a row is about: they come first, however long they are."""
TOGETHER = "\ud800"
"""Stands for a space at which no line ends: a lone surrogate, which `printable` leaves in no text."""
GAP = 2
MILLISECONDS = re.compile(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\.\d{3}Z$")


def show(columns: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> None:
    """Draw rows as a table.

    Times have no milliseconds, and columns that hold nothing are left out; no word is broken: where a table would have
    to, each row stands below the other in lines of its own.
    """
    shown = [{column: _brief(row[column]) for column in columns} for row in rows]
    used = [column for column in columns if any(row[column] for row in shown)]
    console = Console(highlight=False)
    found = widths({column: [column, *(row[column] for row in shown)] for column in used}, console.width)
    if found is None:
        for row in shown:
            for line in below(used, row, console.width):
                console.print(line, soft_wrap=True)
        return
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for column, width in zip(used, found, strict=True):
        table.add_column(column, justify="right" if column in NUMBERS else "left", width=width)
    for row in shown:
        table.add_row(*(_styled(column, row[column]) for column in used))
    console.print(table)


def widths(columns: Mapping[str, Sequence[str]], room: int) -> list[int] | None:
    """Return how wide each column is to be, so that none breaks a word; None where there is too little room."""
    whole = {column: max(map(cell_len, values)) for column, values in columns.items()}
    found = {
        column: whole[column] if column in UNBROKEN else max(map(longest_word, values))
        for column, values in columns.items()
    }
    left = room - sum(found.values()) - GAP * (len(found) - 1)
    if left < 0:
        return None
    wanting = sorted((column for column in found if whole[column] > found[column]), key=lambda column: whole[column])
    for others, column in zip(range(len(wanting), 0, -1), wanting, strict=True):
        more = min(whole[column] - found[column], left // others)
        found[column] += more
        left -= more
    return list(found.values())


def below(columns: Sequence[str], row: Mapping[str, str], width: int) -> list[Text]:
    """Return a row as lines: what is short first, then each of the others."""
    used = [column for column in columns if row[column]]
    heads = [row[column] for column in used if column in FIRST]
    short = [_named(column, row[column]).replace(" ", TOGETHER) for column in used if column in UNBROKEN]
    others = [_named(column, row[column]) for column in used if column not in UNBROKEN | FIRST]
    line = "  ".join((*heads, *short, *others[:1]))
    first, *more = (part.replace(TOGETHER, " ") for part in wrapped(line, width, INDENT))
    for text in others[1:]:
        more += wrapped(INDENT + text, width, INDENT)
    head = Text(first)
    state = row.get("state", "")
    at = first.find(state)
    head.stylize(STYLES.get(state, ""), at, at + len(state))
    return [head, *map(Text, more)]


def _named(column: str, value: str) -> str:
    """Return a value as it stands outside a table."""
    if column in NUMBERS:
        return f"{value} {column.removesuffix('s') if value == '1' else column}"
    return value if column in PLAIN | UNBROKEN else f"{column}: {value}"


def _styled(column: str, value: str) -> Text:
    return Text(value, STYLES.get(value, "") if column == "state" else "")


def _brief(value: object) -> str:
    """Return a value as a person reads it."""
    if isinstance(value, int):
        return f"{value:,}"
    return MILLISECONDS.sub(r"\1 \2Z", "" if value is None else printable(str(value)))
