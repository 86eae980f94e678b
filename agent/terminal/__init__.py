"""Tables and JSON for a person, and for their scripts."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.core.states import ATTENTION, State
from agent.model.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


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


def print_json(value: Any) -> None:
    """Print a value as JSON, whatever is in its texts."""
    click.echo(json.dumps(value, indent=2, default=str))


def show_table(columns: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print rows as a table on a terminal, and as tab-separated lines in a pipe.

    On a terminal times have no milliseconds, and columns that hold nothing are left out.
    """
    if not sys.stdout.isatty():
        click.echo("\t".join(columns))
        for row in rows:
            click.echo("\t".join(_cell(row[column]) for column in columns))
        return
    shown = [{column: _brief(row[column]) for column in columns} for row in rows]
    used = [column for column in columns if any(row[column] for row in shown)]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in used:
        number = column in {"jobs", "frames"}
        table.add_column(column, justify="right" if number else "left", overflow="fold", no_wrap=column in UNBROKEN)
    for row in shown:
        table.add_row(*(Text(row[column], STYLES.get(row[column], "") if column == "state" else "") for column in used))
    Console().print(table)


def _cell(value: object) -> str:
    return "" if value is None else printable(str(value))


def _brief(value: object) -> str:
    """Return a value as a person reads it."""
    if isinstance(value, int):
        return f"{value:,}"
    return MILLISECONDS.sub(r"\1 \2Z", _cell(value))
