"""What `run --once` would do now, from the same code and sending nothing: for `plan` and `baseline`."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.core.fingerprints import fingerprint_of, is_at_rest
from agent.errors import FileChanged
from agent.folder.scanner import Scanner
from agent.host.clock import utc_now
from agent.ledger import units
from agent.ledger.migrations import migrate
from agent.ledger.seen import newest
from agent.ledger.store import connect
from agent.model import Hold, Keep, Kind, LookUp, Move, Queue, Refuse, Stamp, Unit, Wait, join, shown
from agent.model.units import UnitKey
from agent.noticing.moved import left_behind
from agent.reading.examiner import FileExaminer
from agent.reading.reader import Reader
from agent.service.assembly import TARGET_NAME, folders_of
from agent.settings.parts import filters_of, quiet_of, rules_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.core.folder_rules import FolderRules
    from agent.model import Action, File, Listing
    from agent.settings.settings import Settings

ACTIONS = {
    Queue: "submit",
    Hold: "hold",
    Refuse: "refuse",
    Keep: "keep",
    Move: "move",
    LookUp: "look up",
    Wait: "wait",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a plan. `action` is one of `ACTIONS`' words, or `settle` for what is not complete yet."""

    action: str
    path: str
    kind: Kind
    frames: int
    reason: str
    reference_id: str | None = None
    frame_ids: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the step for JSON and tables."""
        return {
            "action": self.action,
            "path": shown(self.path),
            "kind": str(self.kind),
            "frames": self.frames,
            "reason": self.reason,
            "reference_id": self.reference_id,
            "frame_ids": list(self.frame_ids),
        }


@dataclass(frozen=True, slots=True)
class Seen:
    """A unit in a listing: what its files look like, and when they changed last (seconds since 1970)."""

    key: UnitKey
    files: tuple[File, ...]
    listing: Listing
    rules: FolderRules

    @property
    def held(self) -> str | None:
        """Why its folder's settings hold it, None where they do not."""
        return self.rules.why_held(len(self.files) if self.key.kind is Kind.SEQUENCE else 0)

    @property
    def look(self) -> Stamp | bytes:
        """What is compared with the ledger."""
        return Stamp(*self.files[0][1:]) if self.key.kind is Kind.IMAGE else fingerprint_of(self.files)

    @property
    def changed_at(self) -> float:
        """When a file of it was changed last."""
        return max(max(mtime_ns, ctime_ns) for _, _, mtime_ns, ctime_ns, _ in self.files) / 1e9


def walk(settings: Settings, scanner: Scanner) -> Iterator[Seen]:
    """Yield every unit that is in the watch folder now. Raises FolderUnavailable."""
    filters, known = filters_of(settings), folders_of(settings, scanner)
    folders = [""]
    while folders:
        folder = folders.pop()
        rules = known.of(folder)
        listing = scanner.list(folder, rules.ready_marker)
        if listing is None:
            continue
        folders += sorted(listing.subfolders, reverse=True)
        if rules.ignore:
            continue
        if rules.kind_in(folder, filters.kind(folder)) is Kind.IMAGE:
            for file in listing.files:
                yield Seen(UnitKey(join(folder, file[0]), Kind.IMAGE), (file,), listing, rules)
        elif listing.files:
            yield Seen(UnitKey(folder, Kind.SEQUENCE), listing.files, listing, rules)


def read(reader: Reader, seen: Seen) -> Unit:
    """Read a unit's files. Raises FileChanged."""
    if seen.key.kind is Kind.IMAGE:
        return reader.image(seen.key.path, Stamp(*seen.files[0][1:]))
    return reader.sequence(seen.key.path, [*seen.files])


def units_now(settings: Settings) -> Iterator[Unit]:
    """Yield every unit in the watch folder, read, settled or not; one that changes while it is read is left out."""
    scanner = Scanner(settings.watch_dir, filters_of(settings))
    reader = Reader(FileExaminer(scanner), settings.sequence_gaps)
    for seen in walk(settings, scanner):
        try:
            yield read(reader, seen)
        except FileChanged:
            continue


def preview(settings: Settings) -> Iterator[Step]:
    """Yield what would be done about each unit that is not at rest; the age since the last change stands for quiet.

    Where there is no ledger yet, none is made.
    """
    scanner = Scanner(settings.watch_dir, filters_of(settings))
    reader = Reader(FileExaminer(scanner), settings.sequence_gaps)
    sql = _ledger(settings)
    try:
        for seen in walk(settings, scanner):
            row = newest(sql, seen.key)
            if row is None or not is_at_rest(*row, seen.look):
                yield _step(settings, scanner, reader, sql, seen)
    finally:
        sql.close()


def _ledger(settings: Settings) -> sqlite3.Connection:
    if settings.ledger_path.exists():
        return connect(settings.ledger_path, read_only=True)
    sql = sqlite3.connect(":memory:", isolation_level=None)
    migrate(sql)
    return sql


def _step(settings: Settings, scanner: Scanner, reader: Reader, sql: sqlite3.Connection, seen: Seen) -> Step:
    if seen.held is not None:
        return Step("hold", seen.key.path, seen.key.kind, len(seen.files), seen.held)
    waits = why_not_settled(settings, seen)
    if waits is not None:
        return Step("settle", seen.key.path, seen.key.kind, len(seen.files), waits)
    try:
        unit = read(reader, seen)
    except FileChanged as error:
        return Step("settle", seen.key.path, seen.key.kind, len(seen.files), str(error))
    return _as_step(units.plan(sql, unit, rules_of(settings), left_behind(scanner, sql, unit)))


def why_not_settled(settings: Settings, seen: Seen) -> str | None:
    """Say what a unit waits for, or return None where it counts as settled."""
    wall = utc_now().timestamp()
    rules = quiet_of(settings).under(seen.rules)
    if seen.key.kind is Kind.SEQUENCE:
        quiet, blocked_until, reason = rules.waits_for(seen.listing, wall, wall)
    else:
        quiet, blocked_until, reason = rules.image, wall, rules.image_reason
    age = abs(wall - seen.changed_at)
    return reason if blocked_until > wall or age < quiet else None


def _as_step(action: Action) -> Step:
    unit = action.unit
    reason = unit.warning or ""
    reference_id = None
    match action:
        case Hold(_, ids, _, text, _):
            reason, reference_id = text, ids[0] if ids else None
        case Refuse(_, text, _):
            reason = text
        case Queue(_, ids, _):
            reference_id = ids[0]
        case Keep():
            reason = "touched, but its content is known"
        case Move(_, row, _, _):
            reason = f"moved here; its job (row {row}) is kept"
        case LookUp() | Wait():
            reason = f"an answer of {TARGET_NAME}'s is missing"
    return Step(
        ACTIONS[type(action)],
        unit.path,
        unit.kind,
        len(unit.frames),
        reason,
        reference_id,
        tuple(shown(frame.frame_id) for frame in unit.frames),
    )
