"""What commands draw on standard error while they work, by Rich: nothing else of theirs needs it."""

from __future__ import annotations

import contextlib
import sys
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.progress import track

from agent.host import logs
from agent.terminal.bar import Bar, above

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")


@contextlib.contextmanager
def live() -> Iterator[Bar]:
    """Show the bar of what is sent, with log lines above it."""
    console = Console(stderr=True, highlight=False)
    with Bar(console) as bar, logs_above(console):
        yield bar


@contextlib.contextmanager
def logs_above(console: Console) -> Iterator[None]:
    """Have log lines come above what the console shows live: whole, and of single jobs only the warnings."""
    with logs.above(partial(above, console)):
        yield


def tracked(units: Iterable[T], doing: str) -> Iterator[T]:
    """Yield all, with a bar on standard error where that is a terminal."""
    if not sys.stderr.isatty():
        yield from units
        return
    console = Console(stderr=True)
    with logs_above(console):
        yield from track(units, doing, console=console)
