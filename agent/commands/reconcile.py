"""`playment-agent reconcile`: the ledger against Playment's own lists."""

from __future__ import annotations

import contextlib
import sys

import click

from agent.commands import shell
from agent.commands.look import as_json
from agent.commands.order import open_ledger
from agent.reporting.reconcile import reconcile as differences
from agent.service.assembly import target_of
from agent.settings.parts import world_of
from agent.terminal import print_json, show_table


@click.command()
@click.option("--adopt", is_flag=True, help="Take over into the ledger what is found there.")
@as_json
@shell.settled
def reconcile(*, adopt: bool, as_json: bool) -> None:
    """Compare the ledger with Playment's lists: missing, extra, other frame count, tag or batch (exit code 1).

    Lists may lag some minutes behind a submission.

    Example: playment-agent reconcile --json
    """
    settings = shell.settings()
    if adopt:
        shell.needs_clock()
    with open_ledger() as ledger, contextlib.closing(target_of(settings)) as target:
        ledger.bind(world_of(settings))
        found = list(differences(ledger, target, adopt=adopt))
    if as_json:
        print_json([difference.as_dict() for difference in found])
    elif found:
        show_table(("what", "path", "reference_id", "here", "there", "adopted"), [each.as_dict() for each in found])
    else:
        shell.say(f"the ledger and {target.name}'s lists agree")
    sys.exit(1 if any(not difference.adopted for difference in found) else 0)
