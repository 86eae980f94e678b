"""The schema as append-only steps, and the one transaction that takes a database through those it has not behind it.

A step that was released is never edited: a later one changes what it made, and leaves each function that an agent
before it calls, or says with `SERVES` which version is the oldest that may still call.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import psycopg

from agent.errors import FleetRefused
from agent.fleet.line import Address, transaction

if TYPE_CHECKING:
    from agent.fleet.line import Timed

STEPS = ("001_tables", "002_functions")
SERVES = 2
OLDEST_SERVER = 13
GROUP = "playment_agent"
ONE_AT_A_TIME = 0x706C6179
"""The lock that two who run this at once take in turn."""


@dataclass(frozen=True, slots=True)
class Made:
    """What was done: the steps that were behind it, and are now, and the owner, who better is no superuser."""

    before: int
    after: int
    owner: str
    is_superuser: bool


def create(dsn: str, steps: tuple[str, ...] = STEPS) -> Made:
    """Take a database through the steps that it has not behind it, all of them or none.

    Raises FleetUnavailable, and FleetRefused where the role may not, or the database is newer.
    """
    with transaction(Address(dsn, "fleet init")) as connection:
        connection.execute("set local statement_timeout = 0")
        connection.execute("select pg_advisory_xact_lock(%s)", (ONE_AT_A_TIME,))
        if connection.info.server_version < OLDEST_SERVER * 10_000:
            raise FleetRefused(f"the fleet's database must be PostgreSQL {OLDEST_SERVER} or newer")
        _need_group(connection)
        before = _version(connection)
        if before > len(steps):
            raise FleetRefused(
                f"the fleet's database has schema version {before}, this playment-agent knows versions up to "
                f"{len(steps)}: it was made by a newer one. Upgrade this one"
            )
        connection.execute("set local search_path = fleet, pg_temp")
        for name in steps[before:]:
            connection.execute((files("agent.fleet") / "steps" / f"{name}.sql").read_bytes())
        if before < len(steps):
            connection.execute("update fleet_meta set version = %s, serves = %s", (len(steps), SERVES))
        owner, is_superuser = _one(
            connection, "select current_user, rolsuper from pg_roles where rolname = current_user"
        )
    return Made(before, len(steps), owner, is_superuser)


def _need_group(connection: Timed) -> None:
    """Have the role that every host's role is a member of."""
    if _one(connection, f"select exists (select 1 from pg_roles where rolname = '{GROUP}')")[0]:  # noqa: S608 (our word)
        return
    try:
        with connection.transaction():
            connection.execute(f"create role {GROUP} nologin")
    except psycopg.errors.InsufficientPrivilege:
        raise FleetRefused(
            f"the fleet's database has no role {GROUP}, and this one may make none: 'create role {GROUP} nologin' first"
        ) from None


def _version(connection: Timed) -> int:
    """Return how many steps are behind the database, with an empty schema where there is none."""
    (owned,) = _one(connection, "select min(pg_get_userbyid(nspowner)) from pg_namespace where nspname = 'fleet'")
    (me, may_create) = _one(connection, "select current_user, has_database_privilege(current_database(), 'create')")
    if owned is None:
        if not may_create:
            raise FleetRefused(
                f"the role {me} may not create a schema in the fleet's database: run 'fleet init' with its owner's "
                "address (FLEET_DSN), the agents with their own"
            )
        connection.execute("create schema fleet")
        return 0
    (is_member,) = _one(
        connection, "select pg_has_role(min(nspowner), 'member') from pg_namespace where nspname = 'fleet'"
    )
    if not is_member:
        raise FleetRefused(
            f"the schema of the fleet's database belongs to {owned}, not to {me}: run 'fleet init' as that"
        )
    if _one(connection, "select to_regclass('fleet.fleet_meta') is null")[0]:
        raise FleetRefused("the fleet's database has a schema 'fleet' that is not ours: name another database")
    return int(_one(connection, "select version from fleet.fleet_meta")[0])


def _one(connection: Timed, query: str) -> tuple[Any, ...]:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None, "it is a question with one answer"
    return row
