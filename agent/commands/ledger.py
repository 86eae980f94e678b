"""`playment-agent ledger compact`: less space for the same ledger."""

from __future__ import annotations

import click

from agent.commands import shell
from agent.host import locks
from agent.host.clock import utc_now
from agent.ledger.compact import compact as compacted
from agent.ledger.store import no_ledger
from agent.settings.settings import lock_of


@click.group()
def ledger() -> None:
    """Look after the ledger's file."""


@ledger.command(short_help="Give back to the disk what is free in the file.")
@shell.settled
def compact() -> None:
    """Give back to the disk what is free in the ledger's file; the agent must be stopped.

    The file does not grow for ever without this: what is free in it is used again.

    Example: playment-agent ledger compact
    """
    path = shell.ledger_path()
    if not path.exists():
        raise no_ledger(path)
    with locks.lock_file(lock_of(path)):
        before, after = compacted(path, utc_now)
    shell.say(f"{path}: {after / 2**20:,.1f} MiB, was {before / 2**20:,.1f} MiB")
