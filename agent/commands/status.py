"""`playment-agent status`: how it stands. It changes nothing."""

from __future__ import annotations

import dataclasses
import sys
from datetime import datetime
from typing import TYPE_CHECKING

import click

from agent.commands import shell
from agent.core import past, unset_clock
from agent.core.life import Life, life, silence
from agent.core.retry import TELL_SECONDS
from agent.errors import LedgerError, SettingsError
from agent.host.clock import utc_now
from agent.host.disk import why_unwritable
from agent.ledger.reads_for_people import ReadsForPeople
from agent.reporting import standing, waits
from agent.terminal import print_json, show_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from agent.ledger.reports import Report

TROUBLE = "trouble"
FOLDERS = ("folder", "jobs", "frames", "waiting", "submitted", "completed", "attention")


@click.command(short_help="Show the jobs by state, and what needs attention.")
@shell.as_json
@click.option("--by-folder", is_flag=True, help="Show how each top folder stands, too.")
@click.option("--prometheus", is_flag=True, help="Print numbers for Prometheus; then the exit code is 0.")
@shell.settled
def status(*, as_json: bool, by_folder: bool, prometheus: bool) -> None:
    """Show the jobs by state, the throughput, and what needs attention (then the exit code is 1; blocked: 3).

    It says what was sent today (a UTC day), and what pending jobs wait for. An agent that was not stopped and has
    shown no sign of life for three minutes needs attention too.

    Example: playment-agent status
    """
    path = shell.ledger_path()
    if prometheus:
        click.echo(_numbers(path), nl=False)
        return
    with ReadsForPeople.open(path) as reads:
        report = _with_disk(reads.report(utc_now(), by_folder=by_folder), path)
        alive = life(report.agent, reads.last_start_or_stop(), utc_now())
    blocked = report.agent.get("blocked", "")
    if as_json:
        print_json({"life": alive} | dataclasses.asdict(report))
    else:
        if alive is Life.SILENT:
            shell.say(f"NO SIGN OF LIFE: {_silent(report.agent, utc_now())}")
        if report.status:
            show_table(("state", "jobs", "frames", "oldest", "newest"), report.status)
        else:
            shell.say("no unit has been seen yet")
        if report.folders:
            shell.say()
            show_table(FOLDERS, [row | {"folder": row["folder"] or "."} for row in report.folders])
        shell.say()
        for line in _lines(report, alive, utc_now()):
            shell.say(line)
        if report.attention:
            shell.say(f"\n{report.attention_jobs:,} need attention:")
            show_table(("path", "state", "error_code", "reason"), report.attention)
            if report.attention_jobs > len(report.attention):
                shell.say(f"… all of them: the view attention in {path}")
    if blocked or report.agent.get("fleet_refuses"):
        sys.exit(3)
    is_silent = alive is Life.SILENT
    sys.exit(1 if report.attention_jobs or is_silent or _needs_attention(report.agent, utc_now()) else 0)


def _numbers(path: Path) -> bytes:
    """Return numbers for Prometheus; of a ledger that cannot be read that it cannot, and say why."""
    try:
        from agent.reporting import metrics  # noqa: PLC0415 - needs the extra, which may be missing
    except ModuleNotFoundError as error:
        if error.name != "prometheus_client":
            raise
        raise SettingsError(["--prometheus needs what is not installed: pip install 'prometheus-client<1'."]) from None
    try:
        with ReadsForPeople.open(path) as reads:
            return metrics.exposition(reads, utc_now())
    except LedgerError as error:
        shell.tell(error)
        return metrics.nothing_known()


def _lines(report: Report, alive: Life, now: datetime) -> Iterator[str]:
    """Yield what is told below the table, line by line."""
    agent, today = report.agent, report.today
    frames = f"{today['frames']:,} frame{'s' if today['frames'] != 1 else ''}"
    yield f"today ({today['day']}): {today['jobs']:,} sent ({frames})"
    yield f"submitted: {report.submitted_last_hour:,} in the last hour, {report.submitted_last_day:,} in the last 24"
    yield _agent_line(agent, alive, now)
    if agent.get("sending"):
        yield f"sent at once: {agent['sending']}"
    if report.skipped:
        yield f"skipped by annotators: {report.skipped:,}, of which nothing comes unless somebody takes them up again"
    yield from waits.told(report.waits, agent, alive, now)
    if others := int(agent.get("other_files") or 0):
        yield f"{others:,} other files are no pictures and get no row: 'explain PATH' says why"
    yield from _troubles(agent, now)


def _troubles(agent: Mapping[str, str], now: datetime) -> Iterator[str]:
    """Yield a line for each thing that keeps all, or much, from being sent."""
    for label, text, since in standing.troubles(agent, now):
        yield f"{label} since {since}: {text}" if label == "UNREADABLE" else f"{label}: {text}"


def _with_disk(report: Report, path: Path) -> Report:
    """Add what a ledger that cannot be written cannot tell."""
    why = why_unwritable(path)
    if not why:
        return report
    row = {"path": "", "state": TROUBLE, "reason": why, "error_code": "disk", "attempts": 0, "updated_at": ""}
    return dataclasses.replace(report, attention=[row, *report.attention], attention_jobs=report.attention_jobs + 1)


def _needs_attention(agent: Mapping[str, str], now: datetime) -> bool:
    """Tell whether something waits for a person that is in no row of a job.

    That is a clock which is not set, folders that could not be listed for so long, and the start of a new ledger.
    """
    is_unlisted = bool(agent.get("unlisted")) and _seconds_since(agent["unlisted_since"], now) >= TELL_SECONDS
    return is_unlisted or unset_clock.is_unset(now) or bool(agent.get("paused_why"))


def _agent_line(agent: Mapping[str, str], alive: Life, now: datetime) -> str:
    if alive is Life.NEVER_RAN:
        return "the agent has not run yet"
    beat = _ago(silence(agent, now))
    scan = _ago(_seconds_since(agent["last_scan_at"], now)) if agent.get("last_scan_at") else "none yet"
    paused = "; sending is PAUSED" if past.why_paused(agent) else ""
    return (
        f"agent {agent.get('version')}, pid {agent.get('pid')}, {alive}: last heartbeat {beat}, last full scan {scan}, "
        f"noticing by {agent.get('watch_mode', '?')}{paused}"
    )


def _silent(agent: Mapping[str, str], now: datetime) -> str:
    return (
        f"the agent (pid {agent.get('pid')}) was not stopped, and its last heartbeat was {_ago(silence(agent, now))}. "
        "Nothing is noticed or sent: look at its log, and start it"
    )


def _seconds_since(at: str, now: datetime) -> float:
    return (now - datetime.fromisoformat(at)).total_seconds()


def _ago(seconds: float) -> str:
    """Return a span as people say it: only its largest unit matters."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(0, seconds):.0f} s ago"
