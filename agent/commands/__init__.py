"""The commands. Exit codes: 0 fine, 1 something needs attention, 2 usage or settings, 3 blocked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Final, cast

import click

from agent import __version__

MODULES: Final = {
    "backup": "backup",
    "baseline": "baseline",
    "check": "check",
    "demo": "demo",
    "dismiss": "order",
    "explain": "explain",
    "fleet": "fleet",
    "label-studio": "label_studio",
    "ledger": "ledger",
    "manual": "manual",
    "page": "page",
    "pause": "order",
    "plan": "plan",
    "rebind": "rebind",
    "reconcile": "reconcile",
    "results": "results",
    "resubmit": "order",
    "resume": "order",
    "retry": "order",
    "run": "run",
    "sandbox": "sandbox",
    "status": "status",
}
"""Each command, and its module here; in it it is called as on the command line, with `_` for `-`."""


class Commands(Mapping[str, click.Command]):
    """The commands by name. One is imported when it is asked for: all of them take ten times what `status` does."""

    def __getitem__(self, name: str) -> click.Command:
        command: click.Command = getattr(import_module(f"{__name__}.{MODULES[name]}"), name.replace("-", "_"))
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(MODULES)

    def __len__(self) -> int:
        return len(MODULES)


# click would add commands to it only if it were told to.
@click.group(
    commands=cast("MutableMapping[str, click.Command]", Commands()),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__)
@click.option("--env-file", type=click.Path(), metavar="PATH", help="Read settings from here instead of .env.")
@click.pass_context
def cli(context: click.Context, env_file: str | None) -> None:
    """Turn dropped images, and folders of frames, into exactly one annotation job each.

    Try it with nothing configured: playment-agent demo
    """
    context.obj = env_file
