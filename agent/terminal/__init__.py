"""What a person sees: words, tables, a bar, JSON."""

from __future__ import annotations

import json
from typing import Any

import click

from agent.terminal.tables import STYLES, show_table

__all__ = ["STYLES", "print_json", "show_table"]


def print_json(value: Any) -> None:
    """Print a value as JSON, whatever is in its texts."""
    click.echo(json.dumps(value, indent=2, default=str))
