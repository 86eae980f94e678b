"""Text as roff, the language of manual pages (groff_man(7)): any text comes out of `man` as it went in."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDTH = 78
# What roff would read as its own, or print as another character than the one that can be copied from the page.
_ESCAPES = str.maketrans(
    {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", '"': "\\(dq", "^": "\\(ha", "~": "\\(ti", "…": "..."}
)


def escaped(text: str) -> str:
    """Return a text, fit to stand anywhere on a line; a word with a dot before it would be a request."""
    return re.sub(r"(?<!\S)\.", "\\\\&.", " ".join(text.split()).translate(_ESCAPES))


def lines_of(text: str) -> list[str]:
    """Return the lines of a paragraph; what stands in backquotes is bold."""
    marked = escaped(text)
    bold = re.sub(r"\\\(ga((?:(?!\\\(ga).)+)\\\(ga", r"\\fB\1\\fR", marked)
    return textwrap.wrap(bold, WIDTH, break_long_words=False, break_on_hyphens=False)


def paragraphs(text: str) -> list[str]:
    """Return the lines of a text whose paragraphs are parted by empty lines."""
    found = [lines_of(paragraph) for paragraph in re.split(r"\n\s*\n", text) if paragraph.strip()]
    return [line for number, lines in enumerate(found) for line in ([".PP"] if number else []) + lines]


def definitions(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Return the lines of terms, in bold, each with its explanation."""
    return [line for term, text in rows for line in (".TP", f"\\fB{escaped(term)}\\fR", *lines_of(text))]
