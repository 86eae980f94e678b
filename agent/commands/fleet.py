"""`fleet init`, `fleet status`, `fleet forget`: the database that many hosts share."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from typing import TYPE_CHECKING, Any

import click

from agent.commands import configured, shell
from agent.errors import SettingsError
from agent.fleet.joining import create, join
from agent.settings.parts import fleet_host_of, fleet_project_of
from agent.terminal import print_json, show_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agent.fleet.client import Fleet
    from agent.fleet.records import Standing
    from agent.settings.secret import Secret


@click.group()
def fleet() -> None:
    """Look after the database that many hosts share (FLEET_DSN)."""


@contextlib.contextmanager
def joined() -> Iterator[Fleet]:
    """Give the way to the fleet of the settings. Raises SettingsError where they name none."""
    settings = configured.settings(needs_key=False)
    with contextlib.closing(
        join(_revealed(settings.fleet_dsn), fleet_project_of(settings), fleet_host_of(settings))
    ) as found:
        yield found


def _revealed(dsn: Secret | None) -> str:
    if dsn is None:
        raise SettingsError(["FLEET_DSN is not set, or FLEET_DSN_FILE cannot be read: this host is in no fleet."])
    return dsn.reveal()


@fleet.command(short_help="Create what the fleet needs, or bring it up to date.")
@shell.settled
def init() -> None:
    """Create what the fleet needs in its database, or bring it up to date; to be run as the database's owner.

    It is done in one transaction: whole, or not at all. No other setting is needed.

    Example: FLEET_DSN_FILE=/root/owner.dsn playment-agent fleet init
    """
    made = create(_revealed(configured.fleet_dsn()))
    if made.before == made.after:
        shell.say(f"the fleet's database is up to date (schema version {made.after})")
    elif made.before:
        shell.say(f"the fleet's database is up to date: schema version {made.after}, was {made.before}")
    else:
        shell.say(f"the fleet's database is made (schema version {made.after}), and belongs to {made.owner}")
    shell.say("a host is let in by: create role HOST login password '…' in role playment_agent")
    if made.is_superuser:
        shell.say(f"{made.owner} is a superuser, and what hosts call has its rights: better is an owner that is none")


@fleet.command(short_help="Show the hosts, what was sent today, what is wrong.")
@shell.as_json
@shell.settled
def status(*, as_json: bool) -> None:
    """Show the hosts, what was sent today, and what needs attention (then the exit code is 1; blocked: 3).

    Example: playment-agent fleet status
    """
    with joined() as found:
        standing = found.status()
    if as_json:
        print_json(dataclasses.asdict(standing))
    else:
        _show(standing)
    sys.exit(3 if standing.today.get("blocked") else int(bool(standing.attention)))


@fleet.command(short_help="Let go of a HOST that is dead.")
@click.argument("host")
@shell.settled
def forget(*, host: str) -> None:
    """Let go of a HOST that is dead: what it has claimed is free at once. Only the database's owner may.

    Example: FLEET_DSN_FILE=/root/owner.dsn playment-agent fleet forget cam_17
    """
    with joined() as found:
        found.forget(host)
    shell.say(f"{host} is forgotten; what it had claimed is free")


def _show(standing: Standing) -> None:
    if not standing.hosts:
        shell.say("no host has been heard of yet")
    else:
        show_table(
            ("host", "silent_s", "version", "settling", "waiting", "sent", "attention", "folder"), standing.hosts
        )
    today = standing.today
    if today:
        shell.say()
        shell.say(f"today ({today['day']}): {_of(today, 'jobs')}, {_of(today, 'frames')}")
        rate = f"{today['per_minute']:g} jobs a minute" if today["per_minute"] else "no limit of the rate"
        shell.say(f"{today['claims_open']:,} claims are open; {rate}")
        if today["held_s"]:
            shell.say(f"HELD: the target has asked for {today['held_s']:,} s without a request")
    if standing.attention:
        shell.say()
        show_table(("host", "what", "why"), standing.attention)


def _of(today: Mapping[str, Any], what: str) -> str:
    limit = today[f"{what}_limit"]
    left = "no limit" if limit is None else f"{max(0, limit - today[what]):,} of {limit:,} left"
    return f"{today[what]:,} {what} ({left})"
