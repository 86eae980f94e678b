"""`plan`, `status`, `explain`: how it stands, and why. They change nothing."""

from __future__ import annotations

import dataclasses
import os
import sys
import textwrap
from datetime import datetime
from typing import TYPE_CHECKING

import click
from rich.console import Console

from agent.commands import shell
from agent.host.clock import utc_now
from agent.ledger import past, spend
from agent.ledger.reads import Reads
from agent.model.text import printable
from agent.reporting import preview
from agent.reporting.explain import explain as explained

if TYPE_CHECKING:
    from collections.abc import Mapping
from agent.terminal import print_json, show_table

SILENT_SECONDS = 90.0
"""An agent writes a heartbeat every 30 s; after three that did not come it is said so."""

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@as_json
@shell.settled
def plan(*, as_json: bool) -> None:
    """Say what `run --once` would do now, sending nothing.

    Example: playment-agent plan --json
    """
    settings = shell.settings(needs_key=False)
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


@click.command()
@as_json
@shell.settled
def status(*, as_json: bool) -> None:
    """Show the jobs by state, the throughput, and what needs attention (then the exit code is 1; blocked: 3).

    Example: playment-agent status
    """
    path = shell.ledger_path()
    with Reads.open(path) as reads:
        report = reads.report(utc_now())
    blocked = report.agent.get("blocked", "")
    if as_json:
        print_json(dataclasses.asdict(report))
    else:
        if report.status:
            show_table(("state", "jobs", "frames", "oldest", "newest"), report.status)
        else:
            shell.say("no unit has been seen yet")
        shell.say()
        _say_wrapped(
            f"submitted: {report.submitted_last_hour:,} in the last hour, {report.submitted_last_day:,} in the last 24"
        )
        _say_wrapped(_agent_line(report.agent, utc_now()))
        if others := int(report.agent.get("other_files") or 0):
            _say_wrapped(f"{others:,} other files are no pictures and get no row: 'explain PATH' says why")
        if limit := spend.notice(report.agent, utc_now()):
            _say_wrapped(f"SPEND LIMIT: {limit}")
        if paused := past.why_paused(report.agent):
            _say_wrapped(f"PAUSED, nothing is sent: {paused}")
        if blocked:
            _say_wrapped(f"BLOCKED, nothing is sent: {blocked}")
        if report.attention:
            shell.say(f"\n{report.attention_jobs:,} need attention:")
            show_table(("path", "state", "error_code", "reason"), report.attention)
            if report.attention_jobs > len(report.attention):
                shell.say(f"… all of them: the view attention in {path}")
    if blocked:
        sys.exit(3)
    sys.exit(1 if report.attention_jobs or report.agent.get("paused_why") else 0)


@click.command()
@click.argument("path")
@shell.settled
def explain(*, path: str) -> None:
    """Say why a file or folder is, or is not, submitted. PATH may also be a reference_id.

    Example: playment-agent explain inbox/cam1/frame_1.jpg
    """
    settings = shell.settings(needs_key=False)
    for line in explained(settings, path, os.getcwd()):
        _say_wrapped(line)


def _agent_line(agent: Mapping[str, str], now: datetime) -> str:
    if not agent.get("started_at"):
        return "the agent has not run yet"
    beat = _seconds_since(agent["heartbeat_at"], now)
    scan = _ago(_seconds_since(agent["last_scan_at"], now)) if agent.get("last_scan_at") else "none yet"
    silent = "; no sign of life since: is it running?" if beat > SILENT_SECONDS else ""
    paused = "; sending is PAUSED" if past.why_paused(agent) else ""
    return (
        f"agent {agent.get('version')}, pid {agent.get('pid')}: last heartbeat {_ago(beat)}, last full scan {scan}, "
        f"noticing by {agent.get('watch_mode', '?')}{paused}{silent}"
    )


def _seconds_since(at: str, now: datetime) -> float:
    return (now - datetime.fromisoformat(at)).total_seconds()


def _ago(seconds: float) -> str:
    """Return a span as people say it: only its largest unit matters."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(0, seconds):.0f} s ago"


def _say_wrapped(line: str) -> None:
    """Print a line; on a terminal broken between words, with what follows indented further."""
    text = printable(line)
    indent = " " * (len(text) - len(text.lstrip()) + 4)
    width = Console().width if sys.stdout.isatty() else len(text) + 1
    for part in textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False):
        click.echo(part)
