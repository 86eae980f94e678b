"""`plan`, `status`, `explain`: how it stands, and why. They change nothing."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent import explanation, forecast, logs, queries
from agent.commands import shell
from agent.wiring import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@as_json
@shell.settled
def plan(*, as_json: bool) -> None:
    """Say what `run --once` would do now, sending nothing.

    Example: playment-agent plan --json
    """
    settings = shell.settings()
    steps = list(forecast.forecast(settings))
    if as_json:
        print_json([step.as_dict() for step in steps])
        return
    if steps:
        show_table(("action", "kind", "frames", "path", "reason"), [step.as_dict() for step in steps])
    else:
        shell.say("nothing to do: everything in the folder is known to the ledger")


@click.command()
@as_json
@shell.settled
def status(*, as_json: bool) -> None:
    """Show the jobs by state, the throughput, and what needs attention (then the exit code is 1; blocked: 3).

    Example: playment-agent status
    """
    path = shell.ledger_path()
    report = queries.report(path, utc_now())
    blocked = report.agent.get("blocked", "")
    if as_json:
        print_json(dataclasses.asdict(report))
    else:
        if report.status:
            show_table(("state", "jobs", "frames", "oldest", "newest"), report.status)
        else:
            shell.say("no unit has been seen yet")
        shell.say(f"submitted in the last hour: {report.submitted_last_hour:,}, day: {report.submitted_last_day:,}")
        shell.say(_agent_line(report.agent))
        if blocked:
            shell.say(f"BLOCKED, nothing is sent: {blocked}")
        if report.attention:
            shell.say(f"\n{report.attention_jobs:,} need attention:")
            show_table(("path", "state", "error_code", "reason"), report.attention)
            if report.attention_jobs > len(report.attention):
                shell.say(f"… all of them: the view attention in {path}")
    if blocked:
        sys.exit(3)
    sys.exit(1 if report.attention_jobs else 0)


@click.command()
@click.argument("path")
@shell.settled
def explain(*, path: str) -> None:
    """Say why a file or folder is, or is not, submitted. PATH may also be a reference_id.

    Example: playment-agent explain inbox/cam1/frame_1.jpg
    """
    settings = shell.settings()
    for line in explanation.explain(settings, path, os.getcwd()):
        shell.say(line)


def _agent_line(agent: Mapping[str, str]) -> str:
    if not agent.get("started_at"):
        return "the agent has not run yet"
    paused = ", sending is paused" if agent.get("paused") else ""
    return (
        f"agent {agent.get('version')} (pid {agent.get('pid')}), last heartbeat {agent.get('heartbeat_at')}, "
        f"last scan {agent.get('last_scan_at', 'none yet')}, noticing by {agent.get('watch_mode', '?')}{paused}"
    )


def print_json(value: Any) -> None:
    """Print a value as JSON, whatever is in its texts."""
    click.echo(json.dumps(value, indent=2, default=str))


def show_table(columns: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print rows as a table on a terminal, and as tab-separated lines in a pipe."""
    if not sys.stdout.isatty():
        click.echo("\t".join(columns))
        for row in rows:
            click.echo(
                "\t".join(logs.printable(str(row[column] if row[column] is not None else "")) for column in columns)
            )
        return
    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(
            *(Text(logs.printable(str(row[column] if row[column] is not None else ""))) for column in columns)
        )
    Console().print(table)


def _cell(value: object) -> str:
    return "" if value is None else logs.printable(str(value))
