"""`playment-agent baseline`: what is in the folder now needs no job."""

from __future__ import annotations

import sys

import click

from agent.commands import configured, shell
from agent.commands.drawn import tracked
from agent.commands.order import open_ledger
from agent.host import locks
from agent.ledger import orders, past
from agent.reporting.preview import units_now
from agent.settings.parts import world_of


@click.command(short_help="Have all that is in the folder now left alone.")
@shell.settled
def baseline() -> None:
    """Mark all that is in the folder now as `ignored`: only what comes later is submitted.

    For a first start on an archive. All files are read, so that what is moved later is known again. Where folders
    cannot be listed, what is in them is not marked, and the exit code is 1.

    Example: playment-agent baseline
    """
    settings = configured.settings(needs_key=False)
    with (
        locks.lock_file(settings.lock_path),
        locks.lock_folder(settings.watch_dir),
        open_ledger(create=True) as ledger,
    ):
        ledger.bind(world_of(settings))
        done = sent = 0
        unlisted: dict[str, str] = {}
        for unit in tracked(units_now(settings, unlisted), "reading"):
            with ledger.transaction():
                if orders.set_aside(ledger, unit):
                    done += 1
                else:
                    sent += 1
        with ledger.transaction():
            past.decided(ledger)
    shell.say(f"{done:,} units are ignored" + (f"; {sent:,} were sent before and stay as they are" if sent else ""))
    for reason in unlisted.values():
        shell.say(f"{reason}: what is in it is not ignored, and would be sent once it can be read")
    sys.exit(1 if unlisted else 0)
