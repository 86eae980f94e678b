"""`playment-agent results`: a round for completed annotations, now."""

from __future__ import annotations

import contextlib
import sys
import time

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from agent.commands import configured, shell
from agent.commands.drawn import logs_above
from agent.commands.order import open_ledger
from agent.errors import SettingsError
from agent.ledger.writer import LedgerWriter
from agent.service.assembly import results_of
from agent.settings.parts import world_of
from agent.targets.gate import Gate


@click.command(short_help="Fetch completed annotations into RESULTS_DIR now.")
@shell.settled
def results() -> None:
    """Fetch completed annotations into RESULTS_DIR now; it may be done beside a running agent.

    What could not be fetched lately is tried again, too; where that fails, the exit code is 1.

    Example: playment-agent results
    """
    settings = configured.settings()
    shell.needs_clock()
    if settings.results_dir is None:
        raise SettingsError(["RESULTS_DIR is not set: name the folder that the annotations are to be fetched into."])
    columns = (TextColumn("fetching"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with contextlib.ExitStack() as stack:
        console = Console(stderr=True)
        progress = stack.enter_context(Progress(*columns, console=console, disable=not sys.stderr.isatty()))
        if sys.stderr.isatty():
            stack.enter_context(logs_above(console))
        bar = progress.add_task("fetching", total=None)
        ledger = stack.enter_context(open_ledger())
        ledger.bind(world_of(settings))
        thread = LedgerWriter(ledger)
        stack.callback(thread.close)
        gate = Gate(time.monotonic)
        rounds = stack.enter_context(
            results_of(
                settings,
                settings.results_dir,
                thread,
                gate,
                lambda count, total: progress.update(bar, completed=count, total=total),
            )
        )
        done = rounds.round(everything=True, wait=True)
    for path, reason in done.lost + done.failed:
        shell.say(f"{path}: {reason}")
    shell.say(f"{done.completed:,} jobs were completed since, {done.fetched:,} results are fetched")
    sys.exit(1 if done.failed else 0)
