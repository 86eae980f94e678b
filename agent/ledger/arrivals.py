"""Settled images in numbers: those that nothing the ledger knows bears on are queued together, by a few statements.

Each function runs inside a transaction of its caller.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agent.ledger.store import iso
from agent.ledger.units import FRAME_COLUMNS, UNFROZEN, frame_row
from agent.model import Kind, Queue, shown
from agent.plan import Known, decide
from agent.states import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.ledger.store import Ledger
    from agent.model import Unit
    from agent.plan import Rules


def queue_plain(ledger: Ledger, units: Sequence[Unit], rules: Rules) -> set[int]:
    """Queue the plain ones among units, and return their indexes; `units.plan` decides about all others.

    An image is plain where its only row waits to be settled and is as it was made, no other row has its content, its
    inode, its reference_id or its folder for a sequence, and `plan.decide` says that it is to be sent.
    """
    found = {}
    for index, unit, ids in _alone(units, rules):
        found[index] = (unit, (shown(unit.folder), shown(unit.path), unit.digest, unit.frames[0].stamp.inode, ids[0]))
    rows = ledger.sql.execute(
        "select unit.key, jobs.id from json_each(?) as unit cross join jobs "
        "on jobs.folder = unit.value ->> 0 and jobs.path = unit.value ->> 1 and kind = 'image' "
        "where +state = 'settling' and unanswered = 0 and not exists (select 1 from jobs as other "
        "where other.folder = jobs.folder and other.path = jobs.path and other.kind = 'image' and other.id <> jobs.id) "
        "and not exists (select 1 from jobs where digest = unit.value ->> 2) "
        "and not exists (select 1 from frames where inode = unit.value ->> 3) "
        "and not exists (select 1 from frames where job = jobs.id) "
        "and not exists (select 1 from jobs where reference_id = unit.value ->> 4) "
        "and not exists (select 1 from jobs "
        "where jobs.folder = unit.value ->> 0 and jobs.path = unit.value ->> 0 and kind = 'sequence')",
        (json.dumps({index: names for index, (_, names) in found.items()}),),
    )
    plain: dict[int, tuple[int, Queue]] = {}
    for index, job in rows:
        unit = found[int(index)][0]
        action = decide(unit, [Known(job, shown(unit.path), Kind.IMAGE, State.SETTLING)], rules)
        if isinstance(action, Queue):
            plain[int(index)] = (job, action)
    _queue(ledger, list(plain.values()))
    return set(plain)


def _alone(units: Sequence[Unit], rules: Rules) -> list[tuple[int, Unit, tuple[str, ...]]]:
    """Return the images that none before them is like, with their indexes and reference_ids."""
    alone = []
    seen: set[object] = set()
    for index, unit in enumerate(units):
        if unit.kind is not Kind.IMAGE or unit.digest is None or not unit.frames:
            continue
        ids = rules.reference_ids(unit.path, unit.digest)
        like = {unit.digest, unit.frames[0].stamp.inode, ids[0]}
        if seen.isdisjoint(like):
            alone.append((index, unit, ids))
        seen |= like
    return alone


def _queue(ledger: Ledger, plain: Sequence[tuple[int, Queue]]) -> None:
    """Write as `units.write_settled` does, for many."""
    at = iso(ledger.now)
    moves = [
        {
            "id": job,
            "detail": action.unit.warning or "",
            "reference_id": action.reference_ids[0],
            "reason": action.unit.warning or "",
            "error_code": "",
            "frame_count": 1,
            "bytes": action.unit.bytes,
            "digest": action.unit.digest,
            "settled_at": at,
            "attempts": 0,
            "next_attempt_at": at,
            **UNFROZEN,
        }
        for job, action in plain
    ]
    ledger.move_all(State.SETTLING, State.PENDING, moves)
    frames = [frame_row(job, frame) for job, action in plain for frame in action.unit.frames]
    values = ", ".join(f"value ->> {place}" for place in range(FRAME_COLUMNS.count(",") + 1))
    ledger.sql.execute(
        f"insert into frames ({FRAME_COLUMNS}) select {values} from json_each(?)",  # noqa: S608 (our names)
        (json.dumps(frames),),
    )
