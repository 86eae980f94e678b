"""`playment-agent reconcile`: the ledger against the target's own lists."""

from __future__ import annotations

import contextlib
import sys

import click

from agent.commands import configured, shell
from agent.commands.drawn import tracked
from agent.commands.order import open_ledger
from agent.core.past import why_paused
from agent.host import locks
from agent.ledger.reads import Reads
from agent.reporting.first_look import take_over
from agent.reporting.preview import units_now
from agent.reporting.reconcile import reconcile as differences
from agent.reporting.whose import Whose
from agent.service.assembly import target_of
from agent.settings.parts import rules_of, world_of
from agent.terminal import print_json, show_table


@click.command(short_help="Compare the ledger with the target's lists.")
@click.option("--adopt", is_flag=True, help="Take over into the ledger what is found there.")
@shell.as_json
@shell.settled
def reconcile(*, adopt: bool, as_json: bool) -> None:
    """Compare the ledger with the target's lists: missing, extra, twins, other frames, tag or batch (exit code 1).

    Lists may lag some minutes behind a submission. Jobs whose ids are not of this folder are counted, no more: other
    agents may send into the project. With --adopt before the first run all files are read, and every job that is of
    one of them is taken over, also where it was moved since. Twins, which a Label Studio may have, are with --adopt
    looked at again by the agent, which removes those that nobody has worked on.

    Example: playment-agent reconcile --json
    """
    settings = configured.settings()
    if adopt:
        shell.needs_clock()
    with open_ledger(create=adopt) as ledger, contextlib.closing(target_of(settings)) as target:
        ledger.bind(world_of(settings))
        whose = Whose(settings.watch_dir, ledger, rules_of(settings).reader)
        reads = Reads.within(ledger)
        unlisted: dict[str, str] = {}
        if adopt and reads.has_no_past():
            with locks.lock_file(settings.lock_path), locks.lock_folder(settings.watch_dir):
                units = tracked(units_now(settings, unlisted), "reading")
                found = list(take_over(settings, ledger, target, units, whose))
        else:
            found = list(differences(ledger, target, adopt=adopt, is_ours=whose.is_ours))
        paused = why_paused(reads.agent())
    if as_json:
        print_json([difference.as_dict() for difference in found])
    elif found:
        show_table(("what", "path", "reference_id", "here", "there", "adopted"), [each.as_dict() for each in found])
    else:
        shell.say(f"the ledger and {target.name}'s lists agree")
    if whose.others:
        told = f"{whose.others:,} more jobs are in the project: their ids are not of this folder"
        shell.say(told, err=as_json)
    for reason in unlisted.values():
        shell.say(f"{reason}: what is in it was not looked for", err=True)
    if paused and adopt:
        shell.say(f"sending is paused: {paused}", err=as_json)
    sys.exit(1 if unlisted or any(not difference.adopted for difference in found) else 0)
