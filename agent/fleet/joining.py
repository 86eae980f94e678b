"""The door to the fleet: the only way in for those who may not have psycopg."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import SettingsError

if TYPE_CHECKING:
    from agent.fleet.client import Fleet
    from agent.fleet.schema import Made

NOT_INSTALLED = "FLEET_DSN is set, and what speaks with PostgreSQL is not installed: pip install '.[fleet]'."


def join(dsn: str, project: str, host: str) -> Fleet:
    """Return a host's way to its fleet; nothing is asked yet.

    Raises SettingsError where the extra is not installed, FleetRefused for what is no address.
    """
    try:
        from agent.fleet.client import Fleet  # noqa: PLC0415 (an extra: whoever has no fleet needs none)
    except ImportError as error:
        raise _missing(error) from None
    return Fleet(dsn, project, host)


def create(dsn: str) -> Made:
    """Create the schema, or bring it up to date. Raises as `join`, FleetRefused for what its role may not."""
    try:
        from agent.fleet.schema import create as made  # noqa: PLC0415 (the same)
    except ImportError as error:
        raise _missing(error) from None
    return made(dsn)


def _missing(error: ImportError) -> Exception:
    # Without libpq psycopg is there and cannot be imported: 'no pq wrapper available'.
    is_psycopg = (error.name or "").partition(".")[0] == "psycopg" or "pq wrapper" in str(error)
    return SettingsError([NOT_INSTALLED]) if is_psycopg else error
