"""`playment-agent run`: the service, or one pass."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from agent.commands import shell
from agent.core.states import State
from agent.service.loop import Service
from agent.service.signals import obey_signals
from agent.service.waiting import Waiting

if TYPE_CHECKING:
    from agent.ledger.reports import Counts

CYCLES_AFTER = 50_000
"""New objects after which Python looks for cycles among them, in place of 700. A sequence of 1,000 frames makes a
hundred thousand, and none in a cycle: looking took a fifth of the processor time of sending sequences (measured)."""


@click.command()
@click.option("--once", is_flag=True, help="Submit what is there now, then exit.")
@shell.settled
def run(*, once: bool) -> None:
    """Watch the folder and submit what is dropped into it, until SIGTERM or SIGINT. SIGHUP reads the settings again.

    A folder, or a file with the key, that is not there yet is waited for; but not with --once.

    With --once: scan, wait until what is there has settled, publish, submit, exit. What is still growing after three
    settle times is left, and makes the exit code 1.

    Example: playment-agent run --once
    """
    gc.freeze()
    gc.set_threshold(CYCLES_AFTER)
    if not once:
        sys.exit(Waiting(shell.settings, shell.reread()).run())
    settings = shell.settings()
    if sys.stderr.isatty():
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        ) as progress:
            bar = progress.add_task("settling", total=None)

            def show(stands: Counts) -> None:
                settling = stands.jobs.get(State.SETTLING, 0)
                total = stands.submitted + stands.waiting + stands.attention
                progress.update(
                    bar,
                    total=total or None,
                    completed=total - stands.waiting,
                    description=f"settling {settling:,}" if settling else "submitting",
                )

            code = _run(Service(settings, once=True, progress=show, read=shell.reread()))
    else:
        code = _run(Service(settings, once=True, read=shell.reread()))
    sys.exit(code)


def _run(service: Service) -> int:
    obey_signals(service)
    return service.run()
