"""Compares settled units with what the ledger knows and says what to do, as data. Pure.

The service applies these actions; the `plan` command prints them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from agent.core.states import DELETABLE, SENT, State
from agent.model import (
    Action,
    Adopt,
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
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.core.reference_id import IdRules
    from agent.model.jobs import Found


NAMES_TOLD = 5
JOBS_TOLD = 3
ONE_CHANGE = timedelta(seconds=1)
"""What was seen to go and what was seen to come within this time is one change: both ends of a move, or a file that
was put in the place of another."""
_CHOICE = "'retry' sends it as well, 'dismiss' leaves it"
_A_KIND = {Kind.IMAGE: "a single image", Kind.SEQUENCE: "a sequence"}


@dataclass(frozen=True, slots=True)
class KnownRow:
    """A row of the ledger's, as far as planning needs it. `frames` are (basename, digest) in order.

    `since` is when its state was written; `deleted_at` when a listing showed none of its files any more.
    """

    id: int
    path: str
    kind: Kind
    state: State
    digest: str | None = None
    unanswered: int = 0
    frames: tuple[tuple[str, str | None], ...] = ()
    since: str = ""
    deleted_at: str | None = None
    job_id: str | None = None

    @property
    def is_taken(self) -> bool:
        """Whether the content was sent, may have been, or is to be left alone."""
        return self.state in SENT or self.state is State.IGNORED or self.unanswered > 0


@dataclass(frozen=True, slots=True)
class Part:
    """So many `frames` of a unit were part of a row, and are not among its files any more."""

    row: int
    frames: int


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """What is not at its old place any more of what a unit holds: by their ids, rows of the ledger's.

    `gone` are rows of the very same content whose files are not there; of these, the untouched files of `same` are the
    unit's own. Other bytes are in the place of those that are `replaced`. `parts` are rows that some of the unit's
    frames were part of, `frames` of them in all. `listed` is a job of this content that the target had before there was
    this ledger, and whose files are not at its path either.
    """

    gone: frozenset[int] = frozenset()
    replaced: frozenset[int] = frozenset()
    same: frozenset[int] = frozenset()
    parts: tuple[Part, ...] = ()
    frames: int = 0
    listed: Found | None = None


@dataclass(frozen=True, slots=True)
class Before:
    """What a unit holds was taken before: `frames` of its frames, by rows that have lost them, so many each."""

    rows: tuple[tuple[KnownRow, int], ...]
    frames: int


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    other_kind: KnownRow | None
    moved_from: KnownRow | None
    before: Before | None
    listed: Found | None


def decide(
    unit: Unit,
    rows: Sequence[KnownRow],
    rules: IdRules,
    *,
    other_kind: KnownRow | None = None,
    moved_from: KnownRow | None = None,
    before: Before | None = None,
    listed: Found | None = None,
) -> Action:
    """Say what to do about a settled unit.

    `rows` are the ledger's rows for this path and kind, oldest first; `other_kind` is a sent or ignored row that
    covers the same files as another kind of unit; `moved_from` is a row of the same content whose old path is gone;
    `before` tells of rows that have lost what the unit holds; `listed` is the unit's job at the target, of before there
    was this ledger.
    """
    live = [row for row in rows if row.state is not State.GONE]
    taken = [row for row in live if _is_settled_matter(row)]
    noticed_at = noticed(rows)
    there = [row for row in taken if not _is_over(row, noticed_at)]
    for row in taken:
        dismissed_unread = row.state is State.IGNORED and row.digest is None and row in there
        if dismissed_unread or (unit.digest is not None and row.digest == unit.digest):
            later = tuple(other.id for other in live if other.id > row.id and _is_open(other))
            return Keep(_in_order_of(row, unit), row.id, later)
    if there and not _is_refused(there[-1]):
        return _changed(unit, there[-1], live, rules)
    usable = [row for row in live if row in there or _is_open(row)] or [row for row in rows if row not in live]
    return _fresh(unit, usable[-1] if usable else None, rules, _Elsewhere(other_kind, moved_from, before, listed))


def noticed(rows: Sequence[KnownRow]) -> str | None:
    """Return when a unit was noticed, given the rows of its path; None where that is not written."""
    return next((row.since for row in reversed(rows) if row.state is State.SETTLING), None)


def is_before(deleted_at: str | None, noticed_at: str | None) -> bool:
    """Tell whether files were seen to be gone before a unit was noticed, and not in one change with it."""
    if deleted_at is None or noticed_at is None:
        return deleted_at is not None
    return datetime.fromisoformat(noticed_at) - datetime.fromisoformat(deleted_at) > ONE_CHANGE


def _is_over(row: KnownRow, noticed_at: str | None) -> bool:
    """Tell whether the files that a row was sent from are no more: what is at its path now is another drop."""
    return row.state in (*DELETABLE, State.FAILED) and is_before(row.deleted_at, noticed_at)


def _fresh(unit: Unit, current: KnownRow | None, rules: IdRules, elsewhere: _Elsewhere) -> Action:
    """Decide about a unit of which nothing that is still there was ever sent from this path."""
    row = current.id if current else None
    if unit.problem is not None or unit.digest is None:
        return Refuse(unit, unit.problem or "it could not be read", row)
    ids = rules.reference_ids(unit.path, unit.digest)
    action = _taken_elsewhere(unit, ids, row, elsewhere)
    if action is not None:
        return action
    if elsewhere.listed is not None:
        return Adopt(unit, (elsewhere.listed.reference_id,), row, elsewhere.listed.job_id)
    if unit.hold is not None:
        code, reason = unit.hold
        return Hold(unit, ids, code, reason, row)
    return Queue(unit, ids, row)


def _in_order_of(row: KnownRow, unit: Unit) -> Unit:
    """Return a unit of a row's content with its frames in the row's order: what was sent stays as it was sent.

    The rules of the order may have changed since, or SEQUENCE_ORDER.
    """
    places = {name: place for place, (name, _) in enumerate(row.frames)}
    order = [places.get(frame.frame_id) for frame in unit.frames]
    if None in order or len(places) != len(order) or order == [*range(len(order))]:
        return unit
    frames = sorted(unit.frames, key=lambda frame: places[frame.frame_id])
    return replace(unit, frames=tuple(frame._replace(position=place) for place, frame in enumerate(frames)))


def _taken_elsewhere(unit: Unit, ids: tuple[str, ...], row: int | None, elsewhere: _Elsewhere) -> Action | None:
    """Decide about a unit that holds what was taken in another place, or as another kind of unit; None for others."""
    if elsewhere.other_kind is not None:
        other = elsewhere.other_kind
        reason = (
            f"would now be {_A_KIND[unit.kind]}, but was taken as {_A_KIND[other.kind]} before "
            f"({other.path}, {other.state}): {_CHOICE}"
        )
        return Hold(unit, ids, "kind-changed", reason, row)
    if elsewhere.moved_from is not None:
        if elsewhere.moved_from.state is State.SUBMITTING:
            return Wait(unit, elsewhere.moved_from.id)
        return Move(_in_order_of(elsewhere.moved_from, unit), elsewhere.moved_from.id, ids, row)
    if elsewhere.before is not None:
        return Hold(unit, ids, "sent-before", describe_before(unit, elsewhere.before), row)
    return None


def _changed(unit: Unit, sent: KnownRow, live: Sequence[KnownRow], rules: IdRules) -> Action:
    """Decide about other content at a path from which something was sent, or that a person has dismissed."""
    if sent.state is State.SUBMITTING:
        return Wait(unit, sent.id)
    if sent.state is State.PENDING:
        return LookUp(unit, sent.id)
    later = [row for row in live if row.id > sent.id and _is_open(row)]  # a later drop may have been deleted since
    row = later[-1].id if later else None
    # Without an id it cannot be sent, whatever a person says: 'resubmit' is for what is whole.
    ids = rules.reference_ids(unit.path, unit.digest) if unit.digest and not unit.problem else ()
    since = "after it was dismissed" if sent.state is State.IGNORED else "after submission"
    reason = describe_change(sent, unit, since) + (f"; now {unit.problem}" if unit.problem else "")
    return Hold(unit, ids, "changed", reason, row)


def _is_settled_matter(row: KnownRow) -> bool:
    """Tell whether the row's content was taken, or refused."""
    return row.is_taken or row.state is State.FAILED


def _is_open(row: KnownRow) -> bool:
    return not _is_settled_matter(row)


def _is_refused(row: KnownRow) -> bool:
    """Tell whether the target refused the row for good: then no job exists, and other content starts afresh.

    One that has failed since the target took it is there (`unanswered`): other content is for a person.
    """
    return row.state is State.FAILED and row.unanswered == 0


def describe_change(before: KnownRow, now: Unit, since: str) -> str:
    """Say in words what differs between a row and its unit: '3 frames added after submission: a.jpg, b.jpg, c.jpg'.

    `since` says when: 'after submission'.
    """
    if now.kind is Kind.IMAGE:
        return f"the file's content changed {since}"
    old = dict(before.frames)
    new = {frame.frame_id: frame.digest for frame in now.frames}
    changed = [name for name in new if name in old and old[name] != new[name]]
    parts = [
        f"{len(names)} frame{'s' if len(names) != 1 else ''} {what} {since}: {_told(names)}"
        for names, what in (
            ([name for name in new if name not in old], "added"),
            ([name for name in old if name not in new], "removed"),
            (changed, "changed"),
        )
        if names
    ]
    return "; ".join(parts) or f"the frames' order changed {since}"


def describe_before(unit: Unit, before: Before) -> str:
    """Say in words what of a unit was taken before, with which jobs, and what a person can do about it."""
    jobs = [_job_told(row, frames if len(before.rows) > 1 else None) for row, frames in before.rows[:JOBS_TOLD]]
    more = len(before.rows) - JOBS_TOLD
    told = " and ".join(jobs) + (f" and {more} more" if more > 0 else "")
    taken = "dismissed" if all(row.state is State.IGNORED for row, _ in before.rows) else "sent"
    if unit.kind is Kind.IMAGE:
        return f"the same image was {taken} before as {told}, and is gone from there: {_CHOICE}"
    what = f"{before.frames} of {len(unit.frames)} frames"
    return f"{what} were {taken} before in {told}, and are gone from there: {_CHOICE}"


def _job_told(row: KnownRow, frames: int | None) -> str:
    parts = (
        [f"{frames} of them"] * (frames is not None) + [row.state] + [f"job {row.job_id}"] * (row.job_id is not None)
    )
    return f"{row.path} ({', '.join(parts)})"


def _told(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_TOLD} more" if len(names) > NAMES_TOLD else ""
    return ", ".join(basename(name) for name in names[:NAMES_TOLD]) + more


def may_have_moved(row: KnownRow, left: LeftBehind, noticed_at: str | None) -> bool:
    """Tell whether a unit can be what was at a row's path: its very files, or such as came when the others went."""
    return row.id in left.same or (row.id in left.gone and not is_before(row.deleted_at, noticed_at))


def best_twin(candidates: Sequence[KnownRow], unit: Unit) -> KnownRow | None:
    """Choose the row that was moved here among rows of the same content whose files are gone: same basename first."""
    return min(candidates, key=lambda row: (basename(row.path) != basename(unit.path), row.id), default=None)
