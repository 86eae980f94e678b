"""The commands. Exit codes: 0 fine, 1 something needs attention, 2 usage or settings, 3 blocked."""

from __future__ import annotations

import click

from agent import __version__
from agent.commands.backup import backup
from agent.commands.check import check
from agent.commands.demo import demo
from agent.commands.fleet import fleet
from agent.commands.label_studio import label_studio
from agent.commands.ledger import ledger
from agent.commands.look import explain, plan, status
from agent.commands.order import baseline, dismiss, pause, resubmit, resume, retry
from agent.commands.page import page
from agent.commands.rebind import rebind_command
from agent.commands.reconcile import reconcile
from agent.commands.results import results
from agent.commands.run import run
from agent.commands.sandbox import sandbox


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@click.option("--env-file", type=click.Path(), metavar="PATH", help="Read settings from here instead of .env.")
@click.pass_context
def cli(context: click.Context, env_file: str | None) -> None:
    """Turn dropped images, and folders of frames, into exactly one annotation job each.

    Try it with nothing configured: playment-agent demo
    """
    context.obj = env_file


LOOKING = (plan, status, explain, reconcile, check, page)
ORDERS = (retry, resubmit, dismiss, baseline, pause, resume, rebind_command)

for command in (run, *LOOKING, *ORDERS, results, backup, ledger, fleet, label_studio, demo, sandbox):
    cli.add_command(command)
