"""`playment-agent results`: a round for completed annotations, now."""

from __future__ import annotations

import contextlib
import sys
import time

import click

from agent.commands import configured, shell
from agent.commands.order import open_ledger
from agent.errors import SettingsError
from agent.ledger.writer import LedgerWriter
from agent.service.assembly import results_of
from agent.settings.parts import world_of
from agent.targets.gate import Gate
from agent.terminal.drawn import bar


@click.command()
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
    with contextlib.ExitStack() as stack:
        move = stack.enter_context(bar("fetching", disable=not sys.stderr.isatty()))
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
                lambda count, total: move("fetching", count, total),
            )
        )
        done = rounds.round(everything=True, wait=True)
    for path, reason in done.lost + done.failed:
        shell.say(f"{path}: {reason}")
    shell.say(f"{done.completed:,} jobs were completed since, {done.fetched:,} results are fetched")
    sys.exit(1 if done.failed else 0)
