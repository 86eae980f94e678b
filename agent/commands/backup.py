"""`playment-agent backup`: a copy of the ledger."""

from __future__ import annotations

import os
from pathlib import Path

import click

from agent.commands import shell
from agent.ledger.copy import back_up


@click.command(short_help="Copy the ledger into FILE, while the agent runs or not.")
@click.argument("file", type=click.Path(path_type=Path))
@shell.settled
def backup(*, file: Path) -> None:
    """Copy the ledger into FILE, a new one, while the agent runs or not; it is checked before it gets its name.

    To go back to it: stop the agent, remove the ledger with its -wal and -shm files, and put FILE in its place. What
    was sent meanwhile is not sent again: it is found at the target by its ids.

    Example: playment-agent backup /var/backups/ledger-2026-11-28.db
    """
    copy = Path(os.path.realpath(file.parent)) / file.name
    jobs = back_up(shell.ledger_path(), copy)
    shell.say(f"{copy}: {jobs:,} jobs, {copy.stat().st_size / 2**20:,.1f} MiB, checked")
