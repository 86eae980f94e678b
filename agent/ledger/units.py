"""What detection writes: units that are noticed, what was decided about them, and units that are gone.

Each function runs inside a transaction of its caller.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, assert_never

from agent.core.states import MOVES, NOTED, SENT, TOLD, UNSENT, State
from agent.core.unreadable import Told, news
from agent.ledger import lookups
from agent.ledger.deleted import end
from agent.ledger.frames import write_frames
from agent.ledger.store import iso
from agent.model import (
    Action,
    Adopt,
    Frame,
    Hold,
    Keep,
    Kind,
    LookUp,
    Move,
    Queue,
    Refuse,
    Unit,
    UnitKey,
    Wait,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.ledger.store import Ledger
    from agent.model.jobs import Namer
    from agent.model.units import Sight

CAME_BACK = (State.GONE, State.INVALID, State.HELD)
"""States in which a unit may be when it has settled: it came back while it was read, or that it was seen could not be
written, since the disk was full."""
UNFROZEN: dict[str, None] = dict.fromkeys(("edition", "tag", "batch_id", "priority_weight", "trying_since", "lookup"))
"""What an intent writes, taken back: the next intent freezes the settings of its own time."""


def nameless(_frame: Frame) -> None:
    """Give no frame a `src`: the intent will."""


def notice(ledger: Ledger, *sights: Sight) -> None:
    """Write that units were seen and are not settled: each a new row, or its open row back to `settling`.

    Rows whose content was sent, refused or dismissed stay as they are: only what a unit settles to can tell whether
    anything has changed; but beside one whose files were seen deleted, there is a new row, and beside one that was sent
    where other files came and cannot be read. A unit is to be among the sights once.
    """
    at = iso(ledger.now)
    names = [(shown(sight.path), sight.kind) for sight in sights]
    rows = ledger.sql.execute(
        "select jobs.id, state, unanswered, reason, frame_count, bytes, error_code from json_each(?) as sight "
        "left join jobs on jobs.id = (select newest.id from jobs as newest where newest.path = sight.value ->> 0 "
        "and newest.kind = sight.value ->> 1 and newest.deleted_at is null "
        "order by newest.state = 'gone', newest.id desc limit 1) order by sight.key",
        (json.dumps(names),),
    ).fetchall()
    new = []
    for sight, name, row in zip(sights, names, rows, strict=True):
        seen = {"reason": sight.reason, "frame_count": sight.frame_count, "bytes": sight.bytes}
        came_unread = sight.error_code and row[1] in SENT and row[4:6] != (sight.frame_count, sight.bytes)
        if row[0] is None or came_unread:
            new.append((*name, *seen.values(), sight.error_code, at, at))
            continue
        job, state, unanswered = row[0], State(row[1]), row[2]
        if state is State.SETTLING:
            told = Told(sight.reason, sight.frame_count, sight.bytes, sight.error_code)
            ledger.set(job, **news(told, Told(*row[3:]), at))
        elif state is State.HELD and row[6] in TOLD:
            continue  # it was told, and is until it has been read
        elif state is State.GONE or (state in UNSENT and not unanswered):
            cleared = {"error_code": sight.error_code, "reference_id": None}
            ledger.move(job, state, State.SETTLING, "seen again, changed", **cleared, **seen)
    ledger.sql.executemany(
        "insert into jobs (path, kind, state, reason, frame_count, bytes, error_code, first_seen_at, updated_at) "
        "values (?, ?, 'settling', ?, ?, ?, ?, ?, ?)",
        new,
    )


def apply(ledger: Ledger, action: Action, name: Namer = nameless) -> State | None:
    """Write what was planned; return the row's state afterwards, None where the unit is to be looked at again.

    To be called in the transaction in which `related.plan` was, so that nothing can come between. `name` gives the
    `src` of the frames of what is to be sent: an intent has the less to write, if these are what it freezes.
    """
    state: State | None = None
    match action:
        case Queue(unit, ids, row) | Adopt(unit, ids, row):
            state = write_settled(
                ledger, row, unit, State.PENDING, reference_ids=ids, reason=unit.warning or "", name=name
            )
        case Hold(unit, ids, code, reason, row):
            asks = lookups.may_be_sent(ledger, unit, code, row)
            state, lookup = (State.PENDING, lookups.HELD) if asks else (State.HELD, None)
            state = write_settled(
                ledger, row, unit, state, reference_ids=ids, reason=reason, error_code=code, lookup=lookup
            )
        case Refuse(unit, reason, row):
            state = write_settled(ledger, row, unit, State.INVALID, reason=reason)
        case Keep(unit, row, obsolete):
            state = _keep(ledger, unit, row, obsolete)
        case Move(unit, row, ids, arrival):
            state = _move_path(ledger, unit, row, ids, arrival)
        case LookUp(_, row):
            reason = f"its content changed while an answer of {ledger.target}'s is missing"
            ledger.set(row, lookup="changed", reason=reason)
            state = State.PENDING
        case Wait():
            pass
        case _:
            assert_never(action)
    return state


def write_settled(
    ledger: Ledger,
    row: int | None,
    unit: Unit,
    state: State,
    *,
    reference_ids: tuple[str, ...] = (),
    reason: str,
    error_code: str = "",
    lookup: str | None = None,
    name: Namer = nameless,
) -> State:
    """Write a settled unit's content and state into its row, or into a new one."""
    at = iso(ledger.now)
    if row is None:
        row = ledger.sql.execute(
            "insert into jobs (path, kind, state, first_seen_at, updated_at) values (?, ?, 'settling', ?, ?)",
            (shown(unit.path), unit.kind, at, at),
        ).lastrowid
        assert row is not None
    now = state_of(ledger, row)
    chosen = _free_id(ledger, row, reference_ids)
    if reference_ids and chosen is None:
        state, error_code = State.DUPLICATE, "reference-id"
        reason = (
            f"another job of this ledger has the reference_id {reference_ids[-1]!r}: its files were moved away "
            "from here, or REFERENCE_ID needs {path}. 'dismiss' leaves it"
        )
    columns = settled(unit, state, at, reference_id=chosen, reason=reason, error_code=error_code)
    if state is State.PENDING:
        columns["lookup"] = lookup
    if now in CAME_BACK and state not in MOVES[now]:
        ledger.move(row, now, State.SETTLING, "seen again")
        now = State.SETTLING
    ledger.move(row, now, state, reason, **columns)
    named = write_frames(ledger, row, unit, name)
    if state is State.PENDING and named and all(frame.src for frame in named):
        ledger.recent.keep(row, named, shown(unit.path), unit.digest, at)
    return state


def settled(
    unit: Unit, state: State, at: str, *, reference_id: str | None, reason: str, error_code: str = ""
) -> dict[str, object]:
    """Return what stands in a unit's row, beside the state itself, when it has settled to `state` at a time."""
    return {
        "reference_id": reference_id,
        "reason": reason,
        "error_code": error_code,
        "frame_count": len(unit.frames),
        "bytes": unit.bytes,
        "digest": unit.digest,
        "settled_at": at,
        "attempts": 0,
        "next_attempt_at": at if state is State.PENDING else None,
        **UNFROZEN,
    }


def _free_id(ledger: Ledger, row: int, reference_ids: tuple[str, ...]) -> str | None:
    for candidate in reference_ids:
        if not ledger.sql.execute("select 1 from jobs where reference_id = ? and id <> ?", (candidate, row)).fetchone():
            return candidate
    return None


def _keep(ledger: Ledger, unit: Unit, job: int, obsolete: tuple[int, ...]) -> State:
    """Write that the content of a job is there; `obsolete` rows told of other content, later ones were sent of it."""
    ledger.sql.execute("update jobs set digest = ? where id = ? and digest is null", (unit.digest, job))
    _is_back(ledger, job)
    write_frames(ledger, job, unit, nameless)
    lookups.go_on(ledger, job)
    for other in obsolete:
        _withdraw(ledger, other, "the content that was sent is back")
    marks = ", ".join("?" * len(NOTED))
    ledger.sql.execute(
        f"update jobs set deleted_at = ? where path = ? and kind = ? and id > ? and state in ({marks}) "  # noqa: S608
        "and deleted_at is null",
        (iso(ledger.now), shown(unit.path), unit.kind, job, *NOTED),
    )
    return state_of(ledger, job)


def _is_back(ledger: Ledger, job: int) -> None:
    ledger.sql.execute("update jobs set deleted_at = null where id = ? and deleted_at is not null", (job,))


def _withdraw(ledger: Ledger, job: int, why: str) -> None:
    """Write that nothing is to become of a row; one that has no past is as if it had not been made."""
    if ledger.sql.execute("select 1 from events where job = ?", (job,)).fetchone():
        ledger.move(job, state_of(ledger, job), State.GONE, why)
    else:
        ledger.sql.execute("delete from jobs where id = ?", (job,))


def _move_path(ledger: Ledger, unit: Unit, job: int, ids: tuple[str, ...], arrival: int | None) -> State:
    """Give a job the path that its files have now; a job that was never sent gets the id of that path, too."""
    state = state_of(ledger, job)
    old, unanswered = ledger.sql.execute("select path, unanswered from jobs where id = ?", (job,)).fetchone()
    if arrival is not None:
        _withdraw(ledger, arrival, f"moved here from {old}: see job {job}")
    _is_back(ledger, job)
    columns: dict[str, object] = {"path": shown(unit.path), "updated_at": iso(ledger.now)}
    if state is State.PENDING and unanswered:
        columns |= {"lookup": "changed", "reason": f"moved while an answer of {ledger.target}'s is missing"}
    elif state in (State.PENDING, State.FAILED, State.HELD) and not unanswered:
        free = _free_id(ledger, job, ids)
        columns |= {**UNFROZEN, **({"reference_id": free} if free else {})}
        ledger.sql.execute("update frame_rows set src = null where job = ?", (job,))
    write_frames(ledger, job, unit, nameless)  # before the path: only where that is the same, a `src` stays
    ledger.set(job, **columns)
    ledger.record(job, "moved", f"{old} -> {shown(unit.path)}")
    return state


def vanish(ledger: Ledger, path: str, kind: Kind, why: str = "") -> None:
    """Write that a unit is not there any more, or (`why`) is to be left alone: see `vanish_all`."""
    vanish_all(ledger, [UnitKey(path, kind)], why)


def vanish_all(ledger: Ledger, units: Sequence[UnitKey], why: str = "") -> None:
    """Write that units are not there any more, or (`why`) are to be left alone: their open rows are `gone`.

    A row whose try was never answered is looked up first. Of what was sent, may have been, or was dismissed it is noted
    that it was seen deleted: what comes under its name is another drop, however late the answer comes.
    """
    names = [(shown(unit.path), unit.kind) for unit in units]
    deleted: list[int] = []
    for job, path, state, unanswered in ledger.sql.execute(
        "select jobs.id, jobs.path, state, unanswered from json_each(?) as unit cross join jobs "
        "on jobs.path = unit.value ->> 0 and kind = unit.value ->> 1 "
        "where deleted_at is null",
        (json.dumps(names),),
    ).fetchall():
        if unanswered and state == State.PENDING:
            reason = f"{why or 'deleted'} while an answer of {ledger.target}'s is missing"
            ledger.set(job, lookup="changed", reason=reason)
            deleted += [] if why else [job]
        elif state in UNSENT:
            end(ledger, job, path, State(state), why)
        elif state in NOTED and not why:
            deleted.append(job)
    if deleted:
        ledger.sql.execute(
            "update jobs set deleted_at = ? where id in (select value from json_each(?))",
            (iso(ledger.now), json.dumps(deleted)),
        )


def state_of(ledger: Ledger, job: int) -> State:
    """Return a job's state."""
    return State(ledger.sql.execute("select state from jobs where id = ?", (job,)).fetchone()[0])
