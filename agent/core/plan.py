"""Compares settled units with what the ledger knows and says what to do, as data. Pure.

The service applies these actions; the `plan` command prints them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent.core.reference_id import reference_id
from agent.core.states import SENT, State
from agent.model import (
    Action,
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


NAMES_TOLD = 5
_A_KIND = {Kind.IMAGE: "a single image", Kind.SEQUENCE: "a sequence"}


@dataclass(frozen=True, slots=True)
class KnownRow:
    """A row of the ledger's, as far as planning needs it. `frames` are (basename, digest) in order."""

    id: int
    path: str
    kind: Kind
    state: State
    digest: str | None = None
    unanswered: int = 0
    frames: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True, slots=True)
class IdRules:
    """The settings that bear on a plan: the template of reference ids and the name of this host."""

    template: str
    host: str

    def reference_ids(self, path: str, digest: str) -> tuple[str, ...]:
        """Return the ids to try in order: a template without a digest has a second one, for other content there."""
        first = reference_id(self.template, path=path, digest=digest, host=self.host)
        return (first,) if "{digest}" in self.template else (first, f"{first}~{digest[:12]}")


def decide(
    unit: Unit,
    rows: Sequence[KnownRow],
    rules: IdRules,
    *,
    other_kind: KnownRow | None = None,
    moved_from: KnownRow | None = None,
) -> Action:
    """Say what to do about a settled unit.

    `rows` are the ledger's rows for this path and kind, oldest first; `other_kind` is a sent or ignored row that
    covers the same files as another kind of unit; `moved_from` is a row of the same content whose old path is gone.
    """
    live = [row for row in rows if row.state is not State.GONE]
    current = live[-1] if live else (rows[-1] if rows else None)
    settled_before = [row for row in live if _is_settled_matter(row)]
    for row in settled_before:
        dismissed_unread = row.state is State.IGNORED and row.digest is None
        if dismissed_unread or (unit.digest is not None and row.digest == unit.digest):
            return Keep(
                _in_order_of(row, unit),
                row.id,
                tuple(other.id for other in live if other.id > row.id and _is_open(other)),
            )
    if settled_before and not _is_refused(settled_before[-1]):
        return _changed(unit, settled_before[-1], live, rules)
    return _fresh(unit, current, rules, other_kind, moved_from)


def _fresh(
    unit: Unit, current: KnownRow | None, rules: IdRules, other_kind: KnownRow | None, moved_from: KnownRow | None
) -> Action:
    """Decide about a unit of which nothing was ever sent from this path."""
    row = current.id if current else None
    if unit.problem is not None or unit.digest is None:
        return Refuse(unit, unit.problem or "it could not be read", row)
    ids = rules.reference_ids(unit.path, unit.digest)
    if other_kind is not None:
        reason = (
            f"would now be {_A_KIND[unit.kind]}, but was taken as {_A_KIND[other_kind.kind]} before "
            f"({other_kind.path}, {other_kind.state}): 'retry' sends it as well, 'dismiss' leaves it"
        )
        return Hold(unit, ids, "kind-changed", reason, row)
    if moved_from is not None:
        if moved_from.state is State.SUBMITTING:
            return Wait(unit, moved_from.id)
        return Move(_in_order_of(moved_from, unit), moved_from.id, ids, row)
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


def _changed(unit: Unit, sent: KnownRow, live: Sequence[KnownRow], rules: IdRules) -> Action:
    """Decide about other content at a path from which something was sent, or that a person has dismissed."""
    if sent.state is State.SUBMITTING:
        return Wait(unit, sent.id)
    if sent.state is State.PENDING:
        return LookUp(unit, sent.id)
    later = [row for row in live if row.id > sent.id]
    row = later[-1].id if later else None
    # Without an id it cannot be sent, whatever a person says: 'resubmit' is for what is whole.
    ids = rules.reference_ids(unit.path, unit.digest) if unit.digest and not unit.problem else ()
    since = "after it was dismissed" if sent.state is State.IGNORED else "after submission"
    reason = describe_change(sent, unit, since) + (f"; now {unit.problem}" if unit.problem else "")
    return Hold(unit, ids, "changed", reason, row)


def _is_settled_matter(row: KnownRow) -> bool:
    """Tell whether the row's content was sent, may have been, or is to be left alone."""
    return row.state in SENT or row.state in (State.IGNORED, State.FAILED) or row.unanswered > 0


def _is_open(row: KnownRow) -> bool:
    return not _is_settled_matter(row)


def _is_refused(row: KnownRow) -> bool:
    """Tell whether Playment refused the row for good: then no job exists, and other content starts afresh."""
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


def _told(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_TOLD} more" if len(names) > NAMES_TOLD else ""
    return ", ".join(basename(name) for name in names[:NAMES_TOLD]) + more


def best_twin(candidates: Sequence[KnownRow], unit: Unit) -> KnownRow | None:
    """Choose the row that was moved here among rows of the same content whose files are gone: same basename first."""
    return min(candidates, key=lambda row: (basename(row.path) != basename(unit.path), row.id), default=None)
