"""Settled images in numbers: those that nothing the ledger knows bears on are written together, by a few statements.

Each function runs inside a transaction of its caller.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agent.core.plan import KnownRow, decide
from agent.core.reference_id import DIGEST_DIGITS
from agent.core.states import State
from agent.ledger.frames import FRAME_COLUMNS, frame_row
from agent.ledger.store import iso
from agent.ledger.traces import BEGINS, DIGITS, IS_INDEXED, JOB_BEGINS, JOB_DIGITS
from agent.ledger.units import nameless, settled
from agent.model import Kind, Queue, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agent.core.reference_id import IdRules
    from agent.ledger.store import Ledger
    from agent.model import Unit
    from agent.model.jobs import Namer


def queue_plain(ledger: Ledger, units: Sequence[Unit], rules: IdRules, name: Namer = nameless) -> set[int]:
    """Queue the plain ones among units, and return their indexes; `related.plan` decides about all others.

    An image is plain where its only row waits to be settled and is as it was made, no other row has its content (as a
    whole, or as a frame), its inode, its reference_id or its folder for a sequence, no job of before the ledger has its
    content, and `plan.decide` says that it is to be sent.
    """
    alone = _alone(units, rules)
    names = {
        index: (
            shown(unit.folder),
            shown(unit.path),
            unit.digest,
            unit.frames[0].stamp.inode,
            reference_id,
            unit.frames[0].digest[:DIGITS],
        )
        for index, (unit, reference_id) in alone.items()
    }
    rows = ledger.sql.execute(
        "select unit.key, jobs.id from json_each(?) as unit cross join jobs "  # noqa: S608 (our words)
        "on jobs.path = unit.value ->> 1 and kind = 'image' "
        "where +state = 'settling' and unanswered = 0 and not exists (select 1 from jobs as other "
        "where other.path = jobs.path and other.kind = 'image' and other.id <> jobs.id) "
        f"and not exists (select 1 from jobs where {JOB_BEGINS} = substr(unit.value ->> 5, 1, {JOB_DIGITS}) "
        "and digest = unit.value ->> 2) "
        "and not exists (select 1 from frame_rows where inode = nullif(unit.value ->> 3, 0)) "
        f"and not exists (select 1 from frame_rows where {BEGINS} = unit.value ->> 5 and {IS_INDEXED}) "
        "and not exists (select 1 from seen where first_digest = unit.value ->> 5) "
        "and not exists (select 1 from frame_rows where job = jobs.id) "
        f"and not exists (select 1 from listed where digest = substr(unit.value ->> 2, 1, {DIGEST_DIGITS})) "
        "and not exists (select 1 from jobs where reference_id = unit.value ->> 4) "
        "and not exists (select 1 from jobs "
        "where jobs.path = unit.value ->> 0 and kind = 'sequence')",
        (json.dumps(names),),
    )
    plain: dict[int, tuple[int, Queue]] = {}
    for index, job in rows:
        unit, _ = alone[int(index)]
        action = decide(unit, [KnownRow(job, shown(unit.path), Kind.IMAGE, State.SETTLING)], rules)
        if isinstance(action, Queue):
            plain[int(index)] = (job, action)
    _queue(ledger, list(plain.values()), name)
    return set(plain)


def _alone(units: Sequence[Unit], rules: IdRules) -> dict[int, tuple[Unit, str]]:
    """Return the images that none before them is like, with their reference_ids, by their indexes."""
    alone = {}
    seen: set[object] = set()
    for index, unit in enumerate(units):
        if unit.kind is not Kind.IMAGE or unit.digest is None or not unit.frames:
            continue
        reference_id, *_ = rules.reference_ids(unit.path, unit.digest)
        like = {unit.digest, unit.frames[0].stamp.inode or None, reference_id} - {None}
        if seen.isdisjoint(like):
            alone[index] = (unit, reference_id)
        seen |= like
    return alone


def _queue(ledger: Ledger, plain: Sequence[tuple[int, Queue]], name: Namer) -> None:
    """Write as `units.write_settled` does, for many."""
    at = iso(ledger.now)
    moves = []
    for job, action in plain:
        reason = action.unit.warning or ""
        columns = settled(action.unit, State.PENDING, at, reference_id=action.reference_ids[0], reason=reason)
        moves.append({"id": job, "detail": reason, **columns})
    ledger.move_all(State.SETTLING, State.PENDING, moves)
    _write_frames(ledger, [(job, action.unit) for job, action in plain], name)


def _write_frames(ledger: Ledger, images: Iterable[tuple[int, Unit]], name: Namer) -> None:
    """Write the frames of images whose rows have none."""
    frames = [frame_row(job, Kind.IMAGE, frame, name(frame)) for job, unit in images for frame in unit.frames]
    values = ", ".join(f"value ->> {place}" for place in range(FRAME_COLUMNS.count(",") + 1))
    ledger.sql.execute(
        f"insert into frame_rows ({FRAME_COLUMNS}) select {values} from json_each(?)",  # noqa: S608 (our names)
        (json.dumps(frames),),
    )


def set_aside_new(ledger: Ledger, units: Sequence[Unit], reason: str) -> set[int]:
    """Write the images among units that no row is of, each as a row that is ignored; return their indexes.

    By itself each would be ten statements: a thousand took 120 ms, and take 55 so.
    """
    indexes: dict[str, int] = {}
    for index, unit in enumerate(units):
        if unit.kind is Kind.IMAGE:
            indexes.setdefault(shown(unit.path), index)
    names = list(indexes)
    new = ledger.sql.execute(
        "select unit.key from json_each(?) as unit "
        "where not exists (select 1 from jobs where path = unit.value and kind = 'image')",
        (json.dumps(names),),
    )
    found = [indexes[names[place]] for (place,) in new]
    (last,) = ledger.sql.execute("select coalesce(max(id), 0) from jobs").fetchone()
    images = list(enumerate((units[index] for index in found), last + 1))
    at = iso(ledger.now)
    ledger.sql.executemany(
        "insert into jobs (id, path, kind, state, frame_count, bytes, digest, settled_at, first_seen_at, updated_at) "
        "values (?, ?, 'image', 'settling', ?, ?, ?, ?, ?, ?)",
        [(job, shown(unit.path), len(unit.frames), unit.bytes, unit.digest, at, at, at) for job, unit in images],
    )
    moves = [{"id": job, "detail": reason, "reason": reason} for job, _ in images]
    ledger.move_all(State.SETTLING, State.IGNORED, moves)
    _write_frames(ledger, images, nameless)
    return set(found)
