"""`playment-agent rebind`: the inbox, the project or its address have another name; all that is known stays."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from agent.commands import configured, shell
from agent.commands.order import open_ledger
from agent.errors import LedgerRefused
from agent.host import locks
from agent.ledger.reads_for_people import ReadsForPeople
from agent.ledger.world import REBOUND
from agent.ledger.world import rebind as bind_anew
from agent.settings.parts import world_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.ledger.world import Change


@click.command("rebind", short_help="Bind the ledger to a folder or project that has moved.")
@click.option("--yes", is_flag=True, help="Ask nothing: for scripts.")
@click.argument("names", nargs=-1, type=click.Choice(REBOUND), metavar="[SETTING]…")
@shell.settled
def rebind(*, names: tuple[str, ...], yes: bool) -> None:
    """Bind the ledger to the settings as they are now: the inbox has moved, or the project has another address.

    Every row stays, what was dismissed or set aside, too; nothing is sent again. Change the settings and stop the agent
    first. SETTING names what has changed (WATCH_DIR, PLAYMENT_BASE_URL, LABEL_STUDIO_URL, TARGET …): all else must be
    as it was. On a terminal it shows each, old -> new, and asks.

    Example: playment-agent rebind WATCH_DIR
    """
    settings = configured.settings(needs_key=False)
    world = world_of(settings)
    with locks.lock_file(settings.lock_path), open_ledger() as ledger:
        reads = ReadsForPeople.within(ledger)
        changed = reads.changes(world)
        _say_all(changed, names)
        kept = f"{sum(reads.standing().jobs.values()):,} rows"
        if not changed:
            shell.say(f"the ledger is bound to these settings already; its {kept} stay as they are")
            return
        if not yes:
            _ask(kept)
        with ledger.transaction():
            bind_anew(ledger, world, changed)
    shell.say(f"the ledger is bound to these settings now; all its {kept} are kept")


def _say_all(changed: Sequence[Change], names: Sequence[str]) -> None:
    """Show each change, and end the command where one was not named. Raises LedgerRefused."""
    for change in changed:
        shell.say(str(change))
    unnamed = [change.variable for change in changed if change.variable not in names] if names else []
    if unnamed:
        raise LedgerRefused(f"{' and '.join(unnamed)} changed, too: name all that is meant, or set it back")


def _ask(kept: str) -> None:
    """Have a person agree, or end the command."""
    if not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked here: say --yes")
    click.confirm(f"Is that the same inbox, with the same jobs? All {kept} are kept. Go on?", abort=True)
