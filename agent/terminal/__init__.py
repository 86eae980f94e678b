"""What a person sees: words, tables, a bar, JSON. Rich, which draws them, is imported where there is a terminal."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from agent.model.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def print_json(value: Any) -> None:
    """Print a value as JSON, whatever is in its texts."""
    click.echo(json.dumps(value, indent=2, default=str))


def say(text: str, *, err: bool = False) -> None:
    """Print a line, with control characters escaped; on a terminal broken between words, what follows indented."""
    line = printable(text)
    if not (sys.stderr if err else sys.stdout).isatty():
        click.echo(line, err=err)
        return
    from agent.terminal import words  # noqa: PLC0415 - Rich takes 4 MiB, and longer than all else that `status` imports

    words.say(line, err=err)


def show_table(columns: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print rows as a table on a terminal (`tables.show`), and as tab-separated lines in a pipe."""
    if sys.stdout.isatty():
        from agent.terminal import tables  # noqa: PLC0415 - as above

        tables.show(columns, rows)
        return
    click.echo("\t".join(columns))
    for row in rows:
        click.echo("\t".join("" if row[column] is None else printable(str(row[column])) for column in columns))
