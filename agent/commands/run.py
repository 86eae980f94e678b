"""`playment-agent run`: the service, or one pass."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

import click

from agent.commands import configured, shell
from agent.core.states import State
from agent.service.loop import Service
from agent.service.signals import obey_signals
from agent.service.waiting import Waiting

if TYPE_CHECKING:
    from agent.ledger.reports import Counts
    from agent.settings.settings import Settings


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
    if not once:
        sys.exit(Waiting(configured.settings, configured.reread()).run())
    settings = configured.settings()
    sys.exit(_drawn(settings) if sys.stderr.isatty() else _run(Service(settings, once=True, read=configured.reread())))


def _drawn(settings: Settings) -> int:
    """Run once, with a bar that shows how far it is."""
    from agent.terminal.drawn import bar  # noqa: PLC0415 - Rich takes 3 MiB, which a service would hold for all its life

    with bar("settling") as move:

        def show(stands: Counts) -> None:
            settling = stands.jobs.get(State.SETTLING, 0)
            total = stands.submitted + stands.waiting + stands.attention
            move(f"settling {settling:,}" if settling else "submitting", total - stands.waiting, total or None)

        return _run(Service(settings, once=True, progress=show, read=configured.reread()))


def _run(service: Service) -> int:
    obey_signals(service)
    return service.run()
