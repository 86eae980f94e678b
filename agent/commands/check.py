"""`playment-agent check`: what is wrong with the set-up, and what to do."""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.commands import configured, shell
from agent.errors import SettingsError
from agent.model.text import printable
from agent.reporting.checks import Level, fail, ok, warn
from agent.reporting.checks.fleet import check_fleet
from agent.reporting.checks.folder import check_folder, check_folder_settings, check_inodes, check_noticing, survey
from agent.reporting.checks.ledger import check_ledger
from agent.reporting.checks.news import check_news
from agent.reporting.checks.pictures import check_pictures
from agent.reporting.checks.program import check_program
from agent.reporting.checks.remote import check_publishing, check_target
from agent.settings.parts import cautions_of, filters_of, how_jobs_are_made
from agent.terminal import print_json
from agent.terminal.words import wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.reporting.checks import Check

STYLES = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}


@click.command(short_help="Try every part of the set-up, and say what is wrong.")
@shell.as_json
@click.option("--news", is_flag=True, help="Send one message on trial by NOTIFY_URL or NOTIFY_COMMAND.")
@shell.settled
def check(*, as_json: bool, news: bool) -> None:
    """Try every part of the set-up for real, and say what is wrong and what to do.

    Nothing is sent and nothing is made: no job, no batch, no ledger; to an object store one image is uploaded, as it
    will be anyway, and a Label Studio that has no task yet is given one to find, which is removed; nobody is told
    news but with --news. The exit code is 0 where nothing fails, 1 where something does, 2 for settings, 3 where the
    key, the project or the bucket is refused.

    Example: playment-agent check
    """
    found = []
    for each in _checks(time.time, news=news):
        found.append(each)
        if not as_json:
            _show(each)
    # Refused access outweighs wrong settings, as these outweigh all else.
    code = max(each.exit_code for each in found)
    if as_json:
        print_json({"exit_code": code, "checks": [dataclasses.asdict(each) for each in found]})
    sys.exit(code)


def _checks(wall: Callable[[], float], *, news: bool) -> Iterator[Check]:
    """Yield each check as soon as it is made, the quick and local ones first."""
    yield from check_program()
    try:
        settings = configured.settings()
    except SettingsError as error:
        for problem in error.problems:
            yield fail("settings", problem, error.exit_code)
        return
    yield ok("settings", f"complete; {how_jobs_are_made(settings)}")
    yield from (warn("settings", told) for told in cautions_of(settings))
    found = survey(os.fspath(settings.watch_dir), filters_of(settings))
    yield from check_folder(settings, found)
    yield from check_inodes(settings, found)
    yield from check_pictures(settings, found.names)
    yield from check_folder_settings(settings, found)
    yield check_noticing(settings, found)
    yield from check_ledger(settings, wall())
    yield from check_news(settings, tell=news)
    yield from check_fleet(settings, wall)
    yield from check_target(settings, wall)
    yield from check_publishing(settings, found.image)


def _show(each: Check) -> None:
    """Print one check: its text within its column on a terminal, on one line in a pipe."""
    text = printable(each.text)
    before = f"{each.level:<4}  {each.part:<12}  "
    if not sys.stdout.isatty():
        click.echo(before + text)
        return
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=4)
    grid.add_column(width=12, style="bold")
    grid.add_column()
    console = Console()
    grid.add_row(
        Text(each.level, STYLES[each.level]), each.part, Text("\n".join(wrapped(text, console.width - len(before))))
    )
    console.print(grid)
