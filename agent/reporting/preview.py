"""What `run --once` would do now, by its own code and sending nothing: for `plan`, `baseline` and `explain`."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from agent.core import past
from agent.errors import FileChanged, FolderUnavailable
from agent.ledger.reads import Reads
from agent.model import Adopt, Hold, Keep, Kind, LookUp, Move, Queue, Refuse, Unit, Wait, folder_of, shown
from agent.noticing.moved import left_behind
from agent.reporting.dry import dry_noticing
from agent.service.folder import scanner_of
from agent.service.names import called
from agent.settings.parts import image_rules_of, rules_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.core.reference_id import IdRules
    from agent.folder.scanner import Scanner
    from agent.ledger.due import Waiting
    from agent.model import Action, UnitKey
    from agent.model.units import Sight
    from agent.settings.settings import Settings

log = logging.getLogger(__package__)

ACTIONS = {
    Queue: "submit",
    Adopt: "adopt",
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


class Plans:
    """Decides about settled units as the ledger's thread would, and keeps the steps."""

    def __init__(self, scanner: Scanner, reads: Reads, rules: IdRules, target: str) -> None:
        self._target = target
        self._scanner = scanner
        self._reads = reads
        self._rules = rules
        self.steps: list[Step] = []

    def take(self, unit: UnitKey, read: Callable[[], Unit]) -> None:
        """Read a unit, and note what would be done with it; one that changes meanwhile has not settled."""
        try:
            content = read()
            left = left_behind(self._scanner, self._reads, content)
        except FileChanged as error:
            self.steps.append(Step("settle", unit.path, unit.kind, 0, str(error)))
        except FolderUnavailable as error:
            self.steps.append(Step(ACTIONS[Wait], unit.path, unit.kind, 0, str(error)))
        else:
            self.steps.append(_as_step(self._reads.plan(content, self._rules, left), self._target))


def preview(settings: Settings) -> list[Step]:
    """Return what would be done about each unit that is not at rest, by path; nothing is sent or written.

    What waits in the ledger is among them. Where there is no ledger yet, none is made. A folder that cannot be listed
    has a step of its own. Raises FolderUnavailable.
    """
    scanner = scanner_of(settings)
    with Reads.open(settings.ledger_path) if settings.ledger_path.exists() else Reads.of_nothing() as reads:
        plans = Plans(scanner, reads, rules_of(settings), called(settings.target))
        dry = dry_noticing(settings, scanner, reads, plans.take)
        for _ in dry.turns():
            pass
        held = [sight for sight in dry.notes.held if reads.is_to_be_held(sight)]
        waits = reads.waiting()
    waiting, refused = dry.notes.waiting.values(), dry.notes.refused
    unread = [("hold", held), ("settle", waiting), ("refuse", refused)]
    steps = [*plans.steps, *(_unread(action, sight) for action, sights in unread for sight in sights)]
    steps += [Step(ACTIONS[Wait], folder, Kind.SEQUENCE, 0, why) for folder, why in dry.notes.unlisted.items()]
    seen = {(shown(step.path), step.kind) for step in steps}
    steps += [_to_be_sent(job) for job in waits if (job.path, job.kind) not in seen]
    return sorted(steps, key=lambda step: (folder_of(step.path, step.kind).split("/"), step.path))


def why_paused(settings: Settings) -> str:
    """Return why nothing of a plan is done now, '' where sending is not paused."""
    if not settings.ledger_path.exists():
        return ""
    with Reads.open(settings.ledger_path) as reads:
        return past.why_paused(reads.agent())


def units_now(settings: Settings, unlisted: dict[str, str]) -> Iterator[Unit]:
    """Yield every unit in the watch folder, read, settled or not; one that changes while it is read is left out.

    One that cannot be read has no digest. In the end `unlisted` has the folders that cannot be listed, and why.
    Raises FolderUnavailable.
    """
    found: deque[Unit] = deque()

    def take(unit: UnitKey, read: Callable[[], Unit]) -> None:
        try:
            found.append(read())
        except FileChanged:
            pass
        except FolderUnavailable as error:
            log.warning("%s", error)
            found.append(Unit(unit.path, unit.kind, (), None))

    from agent.reading.ahead import examine_ahead  # noqa: PLC0415 - `plan` needs no processes
    from agent.reading.processes.pool import ProcessPool, fitting  # noqa: PLC0415

    scanner = scanner_of(settings)
    with contextlib.ExitStack() as stack:
        nothing_known = stack.enter_context(Reads.of_nothing())
        pool = ProcessPool(scanner, lambda: None, fitting(), rules=image_rules_of(settings))
        stack.callback(pool.rest)
        ahead = partial(examine_ahead, pool)
        dry = dry_noticing(settings, scanner, nothing_known, take, waits=False, ahead=ahead)
        for _ in dry.turns():
            while found:
                yield found.popleft()
    unlisted.update(dry.notes.unlisted)
    yield from (Unit(sight.path, sight.kind, (), None) for sight in dry.notes.refused)


def _unread(action: str, sight: Sight) -> Step:
    return Step(action, sight.path, sight.kind, sight.frame_count, sight.reason)


def _to_be_sent(job: Waiting) -> Step:
    action = ACTIONS[LookUp] if job.is_looked_up else ACTIONS[Queue]
    return Step(action, job.path, job.kind, len(job.frame_ids), job.reason, job.reference_id, job.frame_ids)


def _as_step(action: Action, target: str) -> Step:
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
        case Adopt(_, ids, _, job_id):
            reason, reference_id = f"{target} has it as job {job_id}", ids[0]
        case Keep():
            reason = "touched, but its content is known"
        case Move(_, row, _, _):
            reason = f"moved here; its job (row {row}) is kept"
        case LookUp() | Wait():
            reason = f"an answer of {target}'s is missing"
    return Step(
        ACTIONS[type(action)],
        unit.path,
        unit.kind,
        len(unit.frames),
        reason,
        reference_id,
        tuple(shown(frame.frame_id) for frame in unit.frames),
    )
