"""Tries whether the database that many hosts share lets this one in; nothing in it is changed."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from agent.errors import FleetUnavailable, SettingsError
from agent.fleet.joining import join
from agent.host import mounts
from agent.reporting.checks import fail, ok, warn
from agent.reporting.checks.remote import SKEW_SECONDS
from agent.service.twice import twins_of_others
from agent.settings.parts import fleet_host_of, fleet_project_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.fleet.records import Looked
    from agent.reporting.checks import Check
    from agent.settings.settings import Settings

FLEET = "fleet"


def check_fleet(settings: Settings, wall: Callable[[], float]) -> Iterator[Check]:
    """Ask it as the agent would, where there is one; `wall` gives the time in seconds since 1970."""
    if settings.fleet_dsn is None:
        if told := twins_of_others(settings):
            yield fail(FLEET, told)
        return
    host, folder = fleet_host_of(settings), mounts.shared_place(settings.watch_dir)
    try:
        with contextlib.closing(join(settings.fleet_dsn.reveal(), fleet_project_of(settings), host)) as fleet:
            before = wall()
            looked = fleet.look(folder)
            skew = (before + wall()) / 2 - looked.clock
    except SettingsError as error:
        yield from (fail(FLEET, problem, error.exit_code) for problem in error.problems)
        return
    except FleetUnavailable as error:
        yield fail(FLEET, f"{error}; while it is so, nothing new is sent", error.exit_code)
        return
    yield _version(looked)
    yield from _rights(looked, host)
    if abs(skew) > SKEW_SECONDS:
        yield warn(
            FLEET,
            f"this machine's clock is {abs(skew):,.0f} s {'ahead of' if skew > 0 else 'behind'} that of the fleet's "
            "database, by which days are counted: set it, and keep it right (timedatectl set-ntp true)",
        )
    yield from _folder(looked, folder)
    for row in looked.attention:
        yield warn(FLEET, f"{row['host'] or 'all'}: {row['what']}: {row['why']}")


def _version(looked: Looked) -> Check:
    if not looked.speaks:
        text = (
            f"the fleet's database has schema version {looked.schema} and serves those from {looked.serves}: this "
            "playment-agent does not know it, and its owner must run 'playment-agent fleet init' of the newest version"
        )
        return fail(FLEET, text, 3)
    return ok(FLEET, f"PostgreSQL {looked.server}, schema version {looked.schema}, lets {looked.role} in")


def _rights(looked: Looked, host: str) -> Iterator[Check]:
    if looked.is_taken:
        yield fail(
            FLEET,
            f"the name {host} belongs to another role than {looked.role}: choose another FLEET_HOST, or have the "
            "database's owner run 'fleet forget'",
            3,
        )
    if looked.is_too_mighty:
        yield warn(
            FLEET, f"{looked.role} may write the fleet's tables: give the agent a role that may only call functions"
        )
    if not looked.is_told_apart:
        yield warn(
            FLEET, f"other hosts use the role {looked.role}, too: with one each, none could change another's claims"
        )


def _folder(looked: Looked, folder: str) -> Iterator[Check]:
    if not folder:
        return
    others = ", ".join(looked.sharing)
    if others:
        yield ok(FLEET, f"{others} watch the same folder: each of its units is read and sent by one of you")
    else:
        yield ok(FLEET, f"no other host of the fleet watches this folder ({folder})")
