"""Lines that are broken between words, and inside none: a person reads and copies names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click
from rich.cells import cell_len, chop_cells
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterator

INDENT = "    "
LEAST = 20
"""Columns below which a terminal is not heeded: nothing could be read there."""
_WORDS = re.compile(r"( *)([^ ]+)")
_PARTS = re.compile(r"[^/_.~,;:&?=-]*[/_.~,;:&?=-]+|.+")


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Return `text` in lines of at most `width` columns, those after the first one indented.

    A line ends between two words. Only a word that is longer than a whole line is broken: after a `/`, or what else
    joins the parts of a name or an address.
    """
    width = max(width, LEAST + cell_len(indent))
    lines = [""]
    for gap, word in _WORDS.findall(text):
        for piece in _pieces(word, width - cell_len(indent)):
            if not lines[-1] or cell_len(lines[-1] + gap + piece) <= width:
                lines[-1] += gap + piece
            else:
                lines.append(indent + piece)
            gap = ""  # noqa: PLW2901 (what follows is of the same word)
    return lines


def longest_word(text: str) -> int:
    """Return how many columns the longest word of a text takes."""
    return max(map(cell_len, text.split(" ")))


def _pieces(word: str, room: int) -> Iterator[str]:
    """Yield what a word may be broken into: itself, where it has room on a line."""
    if cell_len(word) <= room:
        yield word
        return
    for part in _PARTS.findall(word):
        yield from chop_cells(part, room) if cell_len(part) > room else (part,)


def say(line: str, *, err: bool) -> None:
    """Print a line on a terminal, broken between words, what follows indented."""
    lead = line[: len(line) - len(line.lstrip(" "))]
    for part in wrapped(line, Console(stderr=err).width, lead + INDENT):
        click.echo(part, err=err)
