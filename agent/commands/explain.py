"""`playment-agent explain`: why a file or folder is, or is not, submitted. It changes nothing."""

from __future__ import annotations

import os

import click

from agent.commands import configured, shell
from agent.reporting.explain import explain as explained


@click.command()
@click.argument("path")
@shell.settled
def explain(*, path: str) -> None:
    """Say why a file or folder is, or is not, submitted. PATH may also be a reference_id.

    Example: playment-agent explain inbox/cam1/frame_1.jpg
    """
    settings = configured.settings(needs_key=False)
    for line in explained(settings, path, os.getcwd()):
        shell.say(line)
