"""What detection writes: units that are noticed, what was decided about them, and units that are gone.

Each function runs inside a transaction of its caller.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, assert_never

from agent.core.fingerprints import fingerprint_of_frames
from agent.core.states import TOLD, UNSENT, State
from agent.ledger import lookups
from agent.ledger.recent_frames import MOST_FRAMES
from agent.ledger.store import iso
from agent.model import (
    Action,
    Frame,
    Hold,
    Keep,
    Kind,
    LookUp,
    Move,
    Queue,
    Refuse,
    Unit,
    Wait,
    basename,
    folder_of,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.ledger.store import Ledger
    from agent.model.jobs import Namer

UNFROZEN: dict[str, None] = dict.fromkeys(("edition", "tag", "batch_id", "priority_weight", "trying_since", "lookup"))
"""What an intent writes, taken back: the next intent freezes the settings of its own time."""

FRAME_COLUMNS = "job, position, frame_id, path, size, mtime_ns, digest, src, ctime_ns, inode"
FRAME_MARKS = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
FRAMES_TOGETHER = 100
"""Frames that are written by one statement: each lets other threads go on, and waits for its turn again."""


def nameless(_frame: Frame) -> None:
    """Give no frame a `src`: the intent will."""


@dataclass(frozen=True, slots=True)
class Sight:
    """A unit as a look shows it, and what it waits for."""

    path: str
    kind: Kind
    reason: str
    frame_count: int
    bytes: int

    @property
    def folder(self) -> str:
        """The folder whose listing shows the unit."""
        return folder_of(self.path, self.kind)


def notice(ledger: Ledger, *sights: Sight) -> None:
    """Write that units were seen and are not settled: each a new row, or its open row back to `settling`.

    Rows whose content was sent, refused or dismissed stay as they are: only what a unit settles to can tell whether
    anything has changed. A unit is to be among the sights once.
    """
    at = iso(ledger.now)
    names = [(shown(sight.folder), shown(sight.path), sight.kind) for sight in sights]
    rows = ledger.sql.execute(
        "select jobs.id, state, unanswered, reason, frame_count, bytes, error_code from json_each(?) as sight "
        "left join jobs on jobs.id = (select newest.id from jobs as newest where newest.folder = sight.value ->> 0 "
        "and newest.path = sight.value ->> 1 and newest.kind = sight.value ->> 2 "
        "order by newest.state = 'gone', newest.id desc limit 1) order by sight.key",
        (json.dumps(names),),
    ).fetchall()
    new = []
    for sight, name, row in zip(sights, names, rows, strict=True):
        seen = {"reason": sight.reason, "frame_count": sight.frame_count, "bytes": sight.bytes}
        if row[0] is None:
            new.append((*name, *seen.values(), at, at))
            continue
        job, state, unanswered = row[0], State(row[1]), row[2]
        if state is State.SETTLING:
            if row[3:6] != tuple(seen.values()):
                ledger.set(job, **seen)
        elif state is State.HELD and row[6] in TOLD:
            continue  # it was told, and is until it has been read
        elif state is State.GONE or (state in UNSENT and not unanswered):
            ledger.move(job, state, State.SETTLING, "seen again, changed", error_code="", reference_id=None, **seen)
    ledger.sql.executemany(
        "insert into jobs (folder, path, kind, state, reason, frame_count, bytes, first_seen_at, updated_at) "
        "values (?, ?, ?, 'settling', ?, ?, ?, ?, ?)",
        new,
    )


def apply(ledger: Ledger, action: Action, name: Namer = nameless) -> State | None:
    """Write what was planned; return the row's state afterwards, None where the unit is to be looked at again.

    To be called in the transaction in which `related.plan` was, so that nothing can come between. `name` gives the
    `src` of the frames of what is to be sent: an intent has the less to write, if these are what it freezes.
    """
    state: State | None = None
    match action:
        case Queue(unit, ids, row):
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
            ledger.sql.execute("update jobs set digest = ? where id = ? and digest is null", (unit.digest, row))
            _write_frames(ledger, row, unit)
            for job in obsolete:
                ledger.move(job, state_of(ledger, job), State.GONE, "the content that was sent is back")
            state = state_of(ledger, row)
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
            "insert into jobs (path, folder, kind, state, first_seen_at, updated_at) "
            "values (?, ?, ?, 'settling', ?, ?)",
            (shown(unit.path), shown(unit.folder), unit.kind, at, at),
        ).lastrowid
        assert row is not None
    now = state_of(ledger, row)
    if now is State.GONE:  # it came back while it was being read
        ledger.move(row, now, State.SETTLING, "seen again")
        now = State.SETTLING
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
    ledger.move(row, now, state, reason, **columns)
    named = _write_frames(ledger, row, unit, name)
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


def _write_frames(ledger: Ledger, job: int, unit: Unit, name: Namer = nameless) -> list[Frame]:
    """Write a unit's frames; a `src` that an intent has frozen stays where the frame is the same.

    Return the frames with their `src`, but none where they are too many to be kept or some `src` stays.
    """
    ledger.recent.forget(job)
    frozen = dict(ledger.sql.execute("select path, src from frames where job = ?", (job,)))
    if frozen:
        ledger.sql.execute("delete from frames where job = ?", (job,))
    named: list[Frame] = []
    for start in range(0, len(unit.frames), FRAMES_TOGETHER):
        frames = unit.frames[start : start + FRAMES_TOGETHER]
        sources = [frozen.get(frame.path) or name(frame) for frame in frames]
        rows = [frame_row(job, frame, src) for frame, src in zip(frames, sources, strict=True)]
        ledger.sql.execute(
            f"insert into frames ({FRAME_COLUMNS}) values {', '.join([FRAME_MARKS] * len(rows))}",  # noqa: S608 (marks)
            [*chain.from_iterable(rows)],
        )
        if not frozen and len(unit.frames) <= MOST_FRAMES:
            named += with_sources(frames, sources)
    if unit.kind is Kind.SEQUENCE:
        ledger.sql.execute(
            "insert or replace into seen values (?, ?)",
            (job, fingerprint_of_frames(unit.frames)),
        )
    return named


def with_sources(frames: Sequence[Frame], sources: Sequence[str | None]) -> tuple[Frame, ...]:
    """Return the frames with their URLs."""
    return tuple(Frame(*frame[:-1], src) for frame, src in zip(frames, sources, strict=True))


def frame_row(job: int, frame: Frame, src: str | None) -> tuple[int | str | None, ...]:
    """Return a frame of a job as FRAME_COLUMNS hold it."""
    position, frame_id, path, (size, mtime_ns, ctime_ns, inode), digest, _ = frame
    return job, position, shown(frame_id), shown(path), size, mtime_ns, digest or None, src, ctime_ns, inode


def _move_path(ledger: Ledger, unit: Unit, job: int, ids: tuple[str, ...], arrival: int | None) -> State:
    """Give a job the path that its files have now; a job that was never sent gets the id of that path, too."""
    state = state_of(ledger, job)
    old, unanswered = ledger.sql.execute("select path, unanswered from jobs where id = ?", (job,)).fetchone()
    if arrival is not None:
        if ledger.sql.execute("select 1 from events where job = ?", (arrival,)).fetchone():
            ledger.move(arrival, state_of(ledger, arrival), State.GONE, f"moved here from {old}: see job {job}")
        else:
            ledger.sql.execute("delete from jobs where id = ?", (arrival,))
    columns: dict[str, object] = {"path": shown(unit.path), "folder": shown(unit.folder), "updated_at": iso(ledger.now)}
    if state is State.PENDING and unanswered:
        columns |= {"lookup": "changed", "reason": f"moved while an answer of {ledger.target}'s is missing"}
    elif state in (State.PENDING, State.FAILED, State.HELD):
        free = _free_id(ledger, job, ids)
        columns |= {**UNFROZEN, **({"reference_id": free} if free else {})}
        ledger.sql.execute("update frames set src = null where job = ?", (job,))
    ledger.set(job, **columns)
    ledger.record(job, "moved", f"{old} -> {shown(unit.path)}")
    _write_frames(ledger, job, unit)
    return state


def vanish(ledger: Ledger, path: str, kind: Kind, why: str = "") -> None:
    """Write that a unit is not there any more, or (`why`) is to be left alone: its open row is `gone`.

    A row whose try was never answered is looked up first; what was sent, refused or dismissed stays as it is.
    """
    folder = folder_of(path, kind)
    for job, state, unanswered in ledger.sql.execute(
        "select id, state, unanswered from jobs where folder = ? and path = ? and kind = ?",
        (shown(folder), shown(path), kind),
    ).fetchall():
        if unanswered and state == State.PENDING:
            reason = f"{why or 'deleted'} while an answer of {ledger.target}'s is missing"
            ledger.set(job, lookup="changed", reason=reason)
        elif state in UNSENT:
            reason = why or f"deleted before it was submitted ({basename(path)})"
            cleared = {"error_code": "", "reference_id": None, "next_attempt_at": None}
            ledger.move(job, State(state), State.GONE, reason, reason=reason, **cleared)


def state_of(ledger: Ledger, job: int) -> State:
    """Return a job's state."""
    return State(ledger.sql.execute("select state from jobs where id = ?", (job,)).fetchone()[0])
