"""What the project had of us before there was this ledger: asked once, before a new ledger has anything sent.

A ledger knows which files were moved, dismissed, or set aside, and which job is whose. A new one beside an old project
would order all that again: it starts paused, and takes over the jobs whose content it finds. Each function that writes
runs inside a transaction of its caller.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent.core.adoption import may_be_ours
from agent.core.past import KNOWN, UNKNOWN, is_new
from agent.core.reference_id import DIGEST_DIGITS
from agent.core.states import State
from agent.ledger import jobs, reports
from agent.ledger.store import iso
from agent.ledger.traces import JOB_BEGINS, JOB_DIGITS
from agent.model import Kind, UnitKey
from agent.model.jobs import Found

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from agent.core.reference_id import IdReader, IdRules
    from agent.ledger.store import Ledger
    from agent.model import Unit

UNTRIED = "state in ('pending', 'held') and unanswered = 0 and edition is null"
NEVER_TRIED = f"{UNTRIED} and reason not like 'to be sent%, as asked'"
COLUMNS = "reference_id, path, digest, job_id, frame_count, tag, batch_id"


@dataclass(frozen=True, slots=True)
class _Content:
    """A unit, as far as a job can be told to be of it: see `adoption.Claim`."""

    reference_id: str
    kind: Kind
    frame_count: int
    tag: str | None
    digest: str | None
    attempted: bool = False


# How it stands


def has_none(sql: sqlite3.Connection) -> bool:
    """Tell whether a ledger has no past: see `is_new`."""
    return is_new(reports.agent(sql), sum(reports.standing(sql).jobs.values()))


def _is_unknown(ledger: Ledger) -> bool:
    return ledger.get("past") == UNKNOWN


def is_paused(ledger: Ledger) -> bool:
    """Tell whether nothing may be sent: a person says so, or the start of a new ledger."""
    return bool(ledger.get("paused") or ledger.get("fleet_paused")) or _is_unknown(ledger)


# The one pass over the lists


def begin(ledger: Ledger) -> None:
    """Take note that an agent starts: with a new ledger nothing is sent before it is known what the project has."""
    if has_none(ledger.sql):
        ledger.put(began_at=iso(ledger.now))
        ledger.put(past=UNKNOWN, paused_why=f"this ledger is new, and {ledger.target}'s lists are looked through first")


def not_read(ledger: Ledger, reason: str) -> None:
    """Write why the lists could not be read."""
    if _is_unknown(ledger) and not ledger.get("paused"):
        why = (
            f"this ledger is new, and {ledger.target}'s lists, which are looked through first, cannot be read: {reason}"
        )
        if why != ledger.get("paused_why"):
            ledger.put(paused_why=why)


def learn(ledger: Ledger, found: Sequence[Found], reader: IdReader) -> list[str]:
    """Keep the jobs whose ids the template can have made, but for those that rows are known to have; return the ids."""
    rows = [
        (job.reference_id, *named, job.job_id, job.frame_count, job.tag, job.batch_id or "")
        for job in found
        for named in reader.read(job.reference_id)[:1]
    ]
    values = ", ".join(f"value ->> {place}" for place in range(COLUMNS.count(",") + 1))
    ledger.sql.execute(
        f"insert or replace into listed ({COLUMNS}) select {values} from json_each(?) "  # noqa: S608 (our names)
        f"where not exists (select 1 from jobs where reference_id = value ->> 0 and not ({UNTRIED}))",
        (json.dumps(rows),),
    )
    return [row[0] for row in rows]


def suspect(ledger: Ledger, reference_id: str) -> str:
    """Pause, as the lists hold an id that the template can have made; return why, '' where a person has resumed."""
    return _pause(ledger, f"the project has jobs with ids of REFERENCE_ID already, such as {reference_id!r}")


def _pause(ledger: Ledger, reason: str) -> str:
    why = (
        f"this ledger is new, and {reason}. See 'plan'; 'reconcile --adopt' takes over what is there, 'baseline' sets "
        "aside what is in the folder; then say 'resume'"
    )
    if not _is_unknown(ledger):
        return ""
    if not ledger.get("paused"):
        ledger.record(None, "paused", why)
    ledger.put(paused="1", paused_why=why)
    return why


def finish(ledger: Ledger, rules: IdRules, *, found: bool, whole: bool) -> list[UnitKey]:
    """Take note that the lists were read (not `whole`: as much of them as is ever read), and whether ids were `found`.

    Return the units that are to be looked at again: a job in the lists is of their content.
    """
    if _is_unknown(ledger):
        if not found and whole:
            ledger.put(paused_why="")
        elif not found:
            _pause(ledger, f"{ledger.target}'s lists are too long to look through them for ids of REFERENCE_ID")
        ledger.put(past=KNOWN)
    return look_again(ledger, rules)


def waits_for_fleet(ledger: Ledger) -> None:
    """Take note that a fleet, which is asked instead of the lists, does not answer."""
    if _is_unknown(ledger) and not ledger.get("paused"):
        ledger.put(paused_why="this ledger is new, and the fleet, which is asked first, has not answered yet")


def told_by_fleet(ledger: Ledger, *, known: bool) -> None:
    """Take note that a fleet has said whether it knew this host: then the ledger is lost, not the first one.

    What the target has of this host is taken over as it comes to be sent. But what was dismissed, or set aside, was
    known to the lost ledger alone: a person is to look.
    """
    if not _is_unknown(ledger):
        return
    if known:
        _pause(ledger, "the fleet knows jobs of this host already")
    else:
        ledger.put(paused_why="")
    ledger.put(past=KNOWN)


def decided(ledger: Ledger) -> None:
    """Take note that a person has said what is to become of what was there before the ledger."""
    ledger.put(past=KNOWN)


def look_again(ledger: Ledger, rules: IdRules) -> list[UnitKey]:
    """Take over the listed jobs that rows which were never tried are of; return the units of others that may be.

    These settle again, to be compared with what is at the path that the id names. What a person wants sent is sent.
    """
    take_over(ledger, [row.reference_id for row in _of_rows(ledger.sql) if _is_rows(ledger.sql, row, rules.tag)])
    again = ledger.sql.execute(
        f"select id, path, kind, state from jobs where {NEVER_TRIED} "  # noqa: S608 (our words)
        f"and substr(digest, 1, {DIGEST_DIGITS}) in (select digest from listed)"
    ).fetchall()
    for job, _, _, state in again:
        reason = f"to be looked at again: {ledger.target} has a job of this content"
        cleared = {"error_code": "", "reference_id": None, "next_attempt_at": None, "lookup": None}
        ledger.move(job, State(state), State.SETTLING, reason, reason=reason, **cleared)
    return [UnitKey(path, Kind(kind)) for _, path, kind, _ in again]


def _of_rows(sql: sqlite3.Connection) -> list[_Content]:
    """Return the rows that were never tried and whose ids the lists hold."""
    return [
        _Content(reference_id, Kind(kind), frame_count, None, digest)
        for reference_id, kind, frame_count, digest in sql.execute(
            "select jobs.reference_id, kind, jobs.frame_count, jobs.digest from listed "  # noqa: S608 (our words)
            f"join jobs on jobs.reference_id = listed.reference_id where {NEVER_TRIED} and state = 'pending'"
        )
    ]


def _is_rows(sql: sqlite3.Connection, row: _Content, tag: str | None) -> bool:
    found = _listed(sql, "reference_id = ?", row.reference_id)
    return any(may_be_ours(job, replace(row, tag=tag)) for job, _ in found)


def take_over(ledger: Ledger, ids: Sequence[str]) -> None:
    """Write that the listed jobs are those of the pending rows that have their ids."""
    for job, path, *listed in ledger.sql.execute(
        "select jobs.id, jobs.path, listed.path, listed.job_id, listed.tag, listed.batch_id, listed.reference_id "
        "from json_each(?) as wanted join listed on listed.reference_id = wanted.value "
        "join jobs on jobs.reference_id = listed.reference_id where state = ?",
        (json.dumps(ids), State.PENDING),
    ).fetchall():
        old, job_id, tag, batch_id, reference_id = listed
        moved = f": moved here from {old}" if old not in (None, path) else ""
        ledger.recent.forget(job)
        jobs.accepted(ledger, job, job_id, f"found in {ledger.target}'s lists{moved}")
        ledger.set(job, tag=tag, batch_id=batch_id or None)
        ledger.sql.execute("delete from listed where reference_id = ?", (reference_id,))


# Whose job it is


def of_this_unit(sql: sqlite3.Connection, unit: Unit, rules: IdRules) -> Found | None:
    """Return the listed job that has a unit's id, where it must hold its content."""
    if unit.digest is None:
        return None
    first, *_ = rules.reference_ids(unit.path, unit.digest)
    found = _listed(sql, "reference_id = ?", first)
    return next((job for job, _ in found if _is_of(job, unit, rules.tag)), None)


def like(sql: sqlite3.Connection, unit: Unit) -> list[tuple[Found, str]]:
    """Return listed jobs of a unit's content, each with the path that its id names: another one than the unit's."""
    if unit.digest is None:
        return []
    found = _listed(sql, "digest = ? and path <> ?", unit.digest[:DIGEST_DIGITS], unit.path)
    return [(job, path) for job, path in found if path is not None and _is_of(job, unit, None)]


def _listed(sql: sqlite3.Connection, where: str, *values: str) -> list[tuple[Found, str | None]]:
    rows = sql.execute(
        f"select {COLUMNS} from listed where {where} "  # noqa: S608 (our words)
        f"and not exists (select 1 from jobs where jobs.reference_id = listed.reference_id and not ({UNTRIED})) "
        "order by reference_id",
        values,
    )
    return [
        (Found(job_id, reference_id, frame_count, tag, batch_id or None), path)
        for reference_id, path, _, job_id, frame_count, tag, batch_id in rows
    ]


def _is_of(job: Found, unit: Unit, tag: str | None) -> bool:
    return may_be_ours(job, _Content(job.reference_id, unit.kind, len(unit.frames), tag, unit.digest))


def content_at(ledger: Ledger, path: str) -> bool:
    """Tell whether the content of what is, or was, at a path is known."""
    asked = "select 1 from jobs where path = ? and digest is not null"
    return ledger.sql.execute(asked, (path,)).fetchone() is not None


def knows(ledger: Ledger, digest: str) -> bool:
    """Tell whether the content is known whose digest begins so."""
    asked = (
        f"select 1 from jobs where {JOB_BEGINS} = substr(?1, 1, {JOB_DIGITS}) and digest >= ?1 and digest < ?1 || 'g'"  # noqa: S608 (our words)
    )
    return ledger.sql.execute(asked, (digest,)).fetchone() is not None


def left(ledger: Ledger) -> list[tuple[str, str]]:
    """Return the ids of the listed jobs that no row is known of, ours and the target's."""
    return ledger.sql.execute("select reference_id, job_id from listed order by reference_id").fetchall()
