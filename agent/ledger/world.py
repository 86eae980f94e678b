"""The world that a ledger belongs to: a project, its address, a watch folder and a template of ids."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, NamedTuple

from agent.core.states import State
from agent.errors import LedgerRefused

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from agent.ledger.store import Ledger

FIRST_TARGET = "playment"
"""What a ledger is bound to that was bound before there were two targets."""
WORLD_HINT = {
    "target": "TARGET",
    "project_id": "PLAYMENT_PROJECT_ID",
    "base_url": "PLAYMENT_BASE_URL",
    "label_studio_url": "LABEL_STUDIO_URL",
    "label_studio_image_project": "LABEL_STUDIO_IMAGE_PROJECT",
    "label_studio_sequence_project": "LABEL_STUDIO_SEQUENCE_PROJECT",
    "watch_dir": "WATCH_DIR",
    "reference_id_template": "REFERENCE_ID",
}
TEMPLATE = "REFERENCE_ID"
PROJECTS = (
    "TARGET",
    "PLAYMENT_PROJECT_ID",
    "LABEL_STUDIO_IMAGE_PROJECT",
    "LABEL_STUDIO_SEQUENCE_PROJECT",
)
"""The settings that say whose the jobs are."""
REBOUND = tuple(variable for variable in WORLD_HINT.values() if variable != TEMPLATE)
"""The settings to which a ledger can be bound anew. Ids that were sent are for ever, so their template is not one."""


class Change(NamedTuple):
    """A setting that is not what a ledger is bound to."""

    variable: str
    before: str
    now: str

    def __str__(self) -> str:
        return f"{self.variable}: {self.before!r} -> {self.now!r}"


def changes(sql: sqlite3.Connection, world: Mapping[str, str]) -> list[Change]:
    """Return in what a ledger is bound to another world; a link where the watch folder was, to where it is, is none."""
    bound = dict(sql.execute("select key, value from agent"))
    if bound.get("project_id") and not bound.get("target"):
        bound["target"] = FIRST_TARGET
    return [
        Change(WORLD_HINT[key], bound[key], now)
        for key, now in sorted(world.items())
        if bound.get(key, "") not in ("", now) and not (key == "watch_dir" and os.path.realpath(bound[key]) == now)
    ]


def other_world(sql: sqlite3.Connection, world: Mapping[str, str]) -> str | None:
    """Return what stands against using a ledger for `world`, as the end of a sentence: that it holds another's jobs."""
    others = changes(sql, world)
    if not others or not sql.execute("select 1 from jobs limit 1").fetchone():
        return None
    told = "; ".join(f"{other.variable} was {other.before!r} and is now {other.now!r}" for other in others)
    them = "them" if len(others) > 1 else "it"
    if any(other.variable == TEMPLATE for other in others):
        advice = f"Set {them} back: the ids that were sent stay as they are (another inbox has another LEDGER_PATH)"
    else:
        named = " ".join(other.variable for other in others)
        advice = (
            f"Set {them} back, or say 'playment-agent rebind {named}', which keeps all that is known (another inbox "
            "has another LEDGER_PATH)"
        )
    return f"belongs to other settings: {told}. {advice}"


def bind(ledger: Ledger, world: Mapping[str, str]) -> None:
    """Write what a ledger is bound to. Runs inside a transaction of its caller."""
    others = [key for key in WORLD_HINT if key not in world]
    ledger.sql.execute("delete from agent where key in (select value from json_each(?))", (json.dumps(others),))
    ledger.put(**world)


def rebind(ledger: Ledger, world: Mapping[str, str], changed: Sequence[Change]) -> None:
    """Bind a ledger to `world`, which is `changed` so; every row stays. Runs inside a transaction of its caller.

    Raises LedgerRefused for another template of ids, and for another project while the old one may have jobs of which
    nothing is known here: they would be paid for a second time.
    """
    variables = {change.variable for change in changed}
    if TEMPLATE in variables:
        raise LedgerRefused(f"{TEMPLATE} cannot be changed: the ids that were sent stay as they are. Set it back")
    if left := sorted(variables.intersection(PROJECTS)):
        _leave_project(ledger, left)
    if variables - {"WATCH_DIR"}:
        ledger.sql.execute("delete from batches")  # found again by their names
    bind(ledger, world)
    ledger.record(None, "rebound", "; ".join(map(str, changed)))


def _leave_project(ledger: Ledger, changed: Sequence[str]) -> None:
    """Have what was not sent yet sent by the settings of its time, not by those that an earlier try has frozen."""
    (open_jobs,) = ledger.sql.execute(
        "select count(*) from jobs where (unanswered > 0 and state not in (?, ?)) or state = ? "
        "or (state = ? and lookup is not null and lookup <> 'held')",
        (State.DUPLICATE, State.IGNORED, State.SUBMITTING, State.PENDING),
    ).fetchone()
    if open_jobs:
        raise LedgerRefused(
            f"{open_jobs:,} jobs were tried in the old project, and no answer is known yet: set "
            f"{' and '.join(changed)} back, and let the agent run until there is one"
        )
    ledger.sql.execute(
        "update jobs set edition = null, tag = null, batch_id = null, priority_weight = null, trying_since = null "
        "where state = ?",
        (State.PENDING,),
    )
    ledger.sql.execute("update jobs set look_again_at = null where look_again_at is not null")
