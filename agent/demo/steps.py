"""Shows what is waited for: a bar on a terminal, in a pipe a line at the start and one every few seconds."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

SAY_SECONDS = 10.0
"""Between two lines in a pipe."""


class Steps:
    """What is done one after the other before there is anything else to see."""

    def __init__(self, console: Console, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._monotonic = monotonic

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[Callable[[float | None], None]]:
        """Show a step while the block runs; it calls what it is given often, with the part that is done (0 to 1).

        The part is None where it is not known. A step that ends well stays as a line with its seconds.
        """
        started = self._monotonic()
        with self._on_terminal(what) if self._console.is_terminal else self._in_a_pipe(what, started) as show:
            yield show
        self._console.print(Text.assemble(("✓ ", "green"), what, (f", {self._monotonic() - started:.0f} s", "dim")))

    @contextlib.contextmanager
    def _on_terminal(self, what: str) -> Iterator[Callable[[float | None], None]]:
        columns = (TextColumn("{task.description}"), BarColumn(24), TaskProgressColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task(what, total=None)

            def show(part: float | None) -> None:
                if part is not None:
                    progress.update(task, total=1.0, completed=part)

            yield show

    @contextlib.contextmanager
    def _in_a_pipe(self, what: str, started: float) -> Iterator[Callable[[float | None], None]]:
        self._console.print(Text(f"{what} …"), soft_wrap=True)
        said = started

        def show(part: float | None) -> None:
            nonlocal said
            now = self._monotonic()
            if now - said >= SAY_SECONDS:
                said = now
                done = "" if part is None else f", {part:.0%} done"
                self._console.print(Text(f"  {now - started:.0f} s{done}"))

        yield show
