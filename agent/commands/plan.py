"""`playment-agent plan`: what would be done now. It changes nothing."""

from __future__ import annotations

import click

from agent.commands import configured, shell
from agent.reporting import preview
from agent.terminal import print_json, show_table


@click.command()
@shell.as_json
@shell.settled
def plan(*, as_json: bool) -> None:
    """Say what `run --once` would do now, sending nothing.

    Example: playment-agent plan --json
    """
    settings = configured.settings(needs_key=False)
    steps = preview.preview(settings)
    paused = preview.why_paused(settings)
    if as_json:
        print_json([step.as_dict() for step in steps])
        return
    if steps:
        show_table(("action", "kind", "frames", "path", "reason"), [step.as_dict() for step in steps])
    else:
        shell.say("nothing to do: everything in the folder is known to the ledger")
    if paused:
        shell.say(f"PAUSED, nothing of this is sent: {paused}")
