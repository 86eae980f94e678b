"""Why one file or folder is, or is not, submitted: for `explain`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agent.core.states import CHANGED, State
from agent.errors import FolderUnavailable, LedgerUnavailable
from agent.ledger.reads_for_people import ReadsForPeople
from agent.model import Kind, join, parent, shown
from agent.model.units import UnitKey
from agent.reporting.dry import look_at
from agent.reporting.places import relative
from agent.service.folder import folders_of, scanner_of
from agent.service.names import called, facts_of
from agent.settings.parts import filters_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from agent.core.folder_rules import FolderRules
    from agent.core.names import Filters
    from agent.folder.scanner import Scanner
    from agent.settings.settings import Settings


def explain(settings: Settings, name: str, cwd: str) -> Iterator[str]:
    """Yield sentences about a path (from here, or relative to the watch folder) or reference_id."""
    watch_dir = str(settings.watch_dir)
    path = relative(watch_dir, name, cwd)
    if path is None or not os.path.lexists(os.path.join(watch_dir, path)):
        path = name if os.path.lexists(os.path.join(watch_dir, name)) else (path or name)
    rows = _rows(settings, name) or _rows(settings, path)
    on_disk = list(_on_disk(settings, path))
    yield from on_disk
    for row in rows:
        yield from _about_row(row, called(settings.target))
        if row["state"] == State.SUBMITTED and not facts_of(settings.target).copies_files:
            yield f"  its files must stay where they are until it is completed: {called(settings.target)} copies none"
    if not rows and not on_disk:
        yield f"{shown(path)}: not in the watch folder {watch_dir}, and not in the ledger"
    elif not rows:
        yield "the ledger has no row for it"


def _rows(settings: Settings, name: str) -> list[dict[str, Any]]:
    try:
        with ReadsForPeople.open(settings.ledger_path) as reads:
            return reads.about(shown(name), shown(parent(name)))
    except LedgerUnavailable:
        if settings.ledger_path.exists():
            raise
        return []


def _on_disk(settings: Settings, path: str) -> Iterator[str]:
    """Say what the folder shows of the path, and why that is, or is not yet, a unit."""
    scanner = scanner_of(settings)
    filters = filters_of(settings)
    try:
        kind = scanner.kind(path) if path else "a folder"
        if path and kind is None and scanner.stamp(path) is None:
            return
    except FolderUnavailable as error:
        yield str(error)
        return
    is_folder = kind == "a folder"
    if kind not in (None, "a folder"):
        yield f"{shown(path)}: it is {kind}, which is never followed or read"
        return
    reason = filters.explain(path, is_folder=is_folder) if path else None
    if reason is not None:
        yield f"{shown(path)}: {reason}"
        return
    yield from _about_unit(settings, scanner, filters, path, is_folder=is_folder)


def _about_unit(settings: Settings, scanner: Scanner, filters: Filters, path: str, *, is_folder: bool) -> Iterator[str]:
    """Say what unit the path is, or is part of, by which rules, and what it waits for."""
    folder = path if is_folder else parent(path)
    rules = folders_of(settings, scanner).of(folder)
    in_folder = rules.kind_in(folder, filters.kind(folder))
    if in_folder is Kind.IMAGE and is_folder:
        yield f"{shown(path) or 'the watch folder'}: a folder of single images, each a job of its own"
        yield from _about_rules(rules)
        return
    key = UnitKey(path, Kind.IMAGE) if in_folder is Kind.IMAGE else UnitKey(folder, Kind.SEQUENCE)
    frames = _frames(scanner, key, rules)
    if not frames:
        yield f"{shown(path)}: a folder without images of its own"
        yield from _about_rules(rules)
        return
    what = "an image job" if key.kind is Kind.IMAGE else f"a sequence of {frames} frames"
    part = f", part of {shown(folder)}" if not is_folder and key.kind is Kind.SEQUENCE else ""
    yield f"{shown(path)}: {what}{part}"
    yield from _about_rules(rules)
    if rules.is_stop:
        return
    notes = look_at(settings, key)
    for sight in notes.held:
        yield f"  held: {sight.reason}"
    if key in notes.waiting:
        yield f"by the times of its files, it {notes.waiting[key].reason}"


def _about_rules(rules: FolderRules) -> Iterator[str]:
    """Say what the files of folder settings say, and which of them says it."""
    yield from (f"  {sentence}" for sentence in rules.told())
    stops = rules.why_held() or rules.why_ignored
    if stops:
        yield f"  {stops}"


def _frames(scanner: Scanner, key: UnitKey, rules: FolderRules) -> int:
    """Return how many files a unit has, 0 where there is no such unit."""
    listing = scanner.list(key.folder, rules.ready_marker)
    if listing is None:
        return 0
    return sum(key.kind is Kind.SEQUENCE or join(key.folder, file[0]) == key.path for file in listing.files)


def _about_row(row: Mapping[str, Any], target: str) -> Iterator[str]:
    """Say what the ledger has: the state, the reason, the ids, and how it came to that."""
    reason = f": {row['reason']}" if row["reason"] else ""
    yield f"job {row['id']} ({row['kind']}, {row['path']}) is {row['state']}{reason}"
    if row["state"] == State.HELD and row["error_code"] == CHANGED:
        yield "  'resubmit' sends it as a new job, 'dismiss' leaves it; the job that was sent stays as it is"
    if row["reference_id"]:
        yield f"  reference_id {row['reference_id']}"
    if row["job_id"]:
        yield f"  {target}'s job_id {row['job_id']}, submitted at {row['submitted_at']}"
    if row["next_attempt_at"] and row["state"] == State.COMPLETED:
        yield f"  its result is asked for again at {row['next_attempt_at']}, after {row['fetches']} tries"
    elif row["next_attempt_at"]:
        yield f"  next try at {row['next_attempt_at']}, after {row['attempts']} tries"
    if row["deleted_at"]:
        yield f"  its files were seen to be gone at {row['deleted_at']}: what comes under this name is another drop"
    yield f"  {row['first_seen_at']} seen"
    for event in row["events"]:
        detail = f": {event['detail']}" if event["detail"] else ""
        yield f"  {event['at']} {event['event']}{detail}"
