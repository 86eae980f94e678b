"""What PostgreSQL and libpq say → our errors, each one sentence that holds no password.

PostgreSQL's codes: https://www.postgresql.org/docs/current/errcodes-appendix.html. What goes wrong while a connection
is made has no code in libpq (seen in psycopg 3.3.9: `sqlstate` is None), only a text, which a server may say in its
operator's language: one that is not known counts as passing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import FleetRefused, FleetUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

OTHER_DATABASE, TO_A_PERSON = "FL001", "FL004"
"""Codes of our functions (steps/002_functions.sql)."""

_INIT = "its owner must run 'playment-agent fleet init'"
_BY_CODE: dict[str, tuple[type[FleetUnavailable], str]] = {
    OTHER_DATABASE: (FleetUnavailable, "is another one, or an older copy: it is told first what was sent from here"),
    "FL002": (
        FleetRefused,
        "does not know this host under this role: a name (FLEET_HOST) belongs to the role that has used it first",
    ),
    "FL003": (FleetRefused, f"has a schema that this playment-agent does not know: {_INIT}, of the newest version"),
    "3F000": (FleetRefused, f"has no tables of ours: {_INIT}"),
    "42883": (FleetRefused, f"lacks a function that is called: {_INIT}"),
    "42P01": (FleetRefused, f"has no tables of ours: {_INIT}"),
    "42501": (
        FleetRefused,
        "does not let this role do it: 'grant playment_agent to ROLE' lets a host in, the owner may more",
    ),
    "55P03": (FleetUnavailable, "is locked: somebody else's transaction has been open for too long"),
    "57014": (FleetUnavailable, "took too long to answer"),
}
_BY_WORDS: tuple[tuple[str, type[FleetUnavailable], str], ...] = (
    ("password authentication failed", FleetRefused, "refuses the password"),
    ("no password supplied", FleetRefused, "asks for a password, and FLEET_DSN has none"),
    ("no pg_hba.conf entry", FleetRefused, "lets nobody in from here (pg_hba.conf)"),
    ("not permitted to log in", FleetRefused, "does not let this role log in"),
    ("permission denied for database", FleetRefused, "does not let this role connect"),
    ("root certificate file", FleetRefused, "cannot be checked: the file of FLEET_DSN's sslrootcert is not there"),
    ("certificate", FleetRefused, "has a certificate that is not to be trusted"),
    ("server does not support SSL", FleetRefused, "offers no TLS, which FLEET_DSN asks for"),
    ("too many clients", FleetUnavailable, "has no connection left (max_connections)"),
    ("remaining connection slots", FleetUnavailable, "has no connection left (max_connections)"),
    ("too many connections", FleetUnavailable, "has no connection left for this role or database"),
)


def unusable_address() -> FleetRefused:
    """Return the error for what is no address of a database; libpq's own words would repeat it, password and all."""
    return FleetRefused("FLEET_DSN is no address of a PostgreSQL database, as postgresql://user:password@host/fleet is")


def told(error: psycopg.Error, hidden: Iterable[str]) -> FleetUnavailable:
    """Return our error for one of psycopg's; texts that are `hidden` are in none."""
    text = _one_line(str(error), hidden)
    if error.sqlstate == TO_A_PERSON:
        return FleetRefused(text)
    known = _BY_CODE.get(error.sqlstate or "")
    if known is not None:
        kind, what = known
        return kind(f"the fleet's database {what}")
    for words, kind, what in _BY_WORDS:
        if words in text:
            return kind(f"the fleet's database {what} ({text})")
    what = "fails" if error.sqlstate else "does not answer"
    return FleetUnavailable(f"the fleet's database {what} ({text})")


def _one_line(text: str, hidden: Iterable[str]) -> str:
    """Return what matters of a text of several lines, without what nobody may see."""
    first = next((line.strip() for line in text.splitlines() if line.strip()), "no reason given")
    for each in hidden:
        first = first.replace(each, "***")
    return first
