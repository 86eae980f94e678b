"""`playment-agent label-studio`: what is done at Label Studio once."""

from __future__ import annotations

import click

from agent.commands import configured, shell
from agent.service.label_studio import make_projects
from agent.settings.targets import LABEL_STUDIO


@click.group("label-studio", short_help="Make the projects that tasks are sent to.")
def label_studio() -> None:
    """Make what the agent needs at Label Studio (TARGET=label-studio)."""


@label_studio.command(short_help="Make a project for images and one for sequences.")
@click.option("--title", default="playment-agent", show_default=True, help="What the projects' names begin with.")
@shell.settled
def init(*, title: str) -> None:
    """Make two projects, for boxes on images and on sequences of frames, and print their numbers as settings.

    LABEL_STUDIO_URL and LABEL_STUDIO_TOKEN (or LABEL_STUDIO_TOKEN_FILE) must be set. Projects of that name that are
    there already, and that show images, or lists of images, are taken.

    Example: playment-agent label-studio init
    """
    images, sequences, there = make_projects(*configured.address_and_key(LABEL_STUDIO), title)
    for project in there:
        click.echo(f"project {project} is there already", err=True)
    shell.say(f"TARGET={LABEL_STUDIO}\nLABEL_STUDIO_IMAGE_PROJECT={images}\nLABEL_STUDIO_SEQUENCE_PROJECT={sequences}")
