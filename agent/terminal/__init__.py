"""Tables and JSON for a person, and for their scripts."""

from __future__ import annotations

import json
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import click

from agent.model.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agent.terminal.drawn import Screen


def print_json(value: Any) -> None:
    """Print a value as JSON, whatever is in its texts."""
    click.echo(json.dumps(value, indent=2, default=str))


def show_table(columns: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print rows as a table on a terminal, and as tab-separated lines in a pipe.

    On a terminal times have no milliseconds, and columns that hold nothing are left out.
    """
    told = ({column: "" if row[column] is None else row[column] for column in columns} for row in rows)
    screen = _screen()
    if screen is not None:
        screen.table(columns, told)
        return
    click.echo("\t".join(columns))
    for row in told:
        click.echo("\t".join(printable(str(value)) for value in row.values()))


def say_wrapped(line: str) -> None:
    """Print a line; on a terminal broken between words, with what follows indented further."""
    text = printable(line)
    indent = " " * (len(text) - len(text.lstrip()) + 4)
    screen = _screen()
    width = screen.width if screen else len(text) + 1
    for part in textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False):
        click.echo(part)


def _screen() -> Screen | None:
    """Return what draws on the standard output, None where that is no terminal."""
    if not sys.stdout.isatty():
        return None
    from agent.terminal.drawn import Screen  # noqa: PLC0415 - Rich takes 3 MiB and as long as all else that is imported

    return Screen()
