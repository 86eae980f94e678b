"""What the projects hold: the search for our tasks by their reference_id, the second look, and all there is."""

from __future__ import annotations

import logging
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from agent.errors import AccessRefused, Refused
from agent.model import Kind
from agent.model.jobs import Found
from agent.model.journal import about
from agent.targets import Twins
from agent.targets.label_studio import NAME, queries
from agent.targets.label_studio.error_table import FILTER, NOT_THERE
from agent.targets.label_studio.labelling import REFERENCE_ID
from agent.targets.label_studio.pages import AT_ONCE, pages
from agent.targets.label_studio.proof import is_trial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from agent.model.jobs import Lookup
    from agent.targets.label_studio.answers import Task
    from agent.targets.label_studio.client import LabelStudio

log = logging.getLogger(__package__)


class Projects(NamedTuple):
    """Where images go, and where sequences go, by the projects' ids; both may be one."""

    image: int
    sequence: int

    def of(self, kind: Kind) -> int:
        """Return where a unit of this kind goes."""
        return self.image if kind is Kind.IMAGE else self.sequence

    def each(self) -> tuple[int, ...]:
        """Return every project once."""
        return tuple(dict.fromkeys(self))


class StoppedError(Exception):
    """`may_go` said no."""


def find(
    client: LabelStudio, projects: Projects, wanted: Sequence[Lookup], may_go: Callable[[], bool]
) -> dict[str, Found] | None:
    """Look for jobs by reference id, and return what was found, the oldest task of each; None where `may_go` said no.

    One with as many frames as the job goes before one with others. Raises RemoteError.
    """
    found: dict[str, Found] = {}
    try:
        for project in projects.each():
            frames = {each.reference_id: each.frame_count for each in wanted if projects.of(each.kind) == project}
            for reference_id, tasks in by_reference(client, project, frames, may_go).items():
                fit = (task for task in tasks if task.frame_count == frames[reference_id])
                found[reference_id] = found_of(next(fit, tasks[0]))
    except StoppedError:
        return None
    return found


def twins(
    client: LabelStudio, projects: Projects, reference_ids: Iterable[str], may_go: Callable[[], bool]
) -> dict[str, Twins] | None:
    """Do what `Target.twins` promises. Raises RemoteError."""
    ids = list(reference_ids)
    seen: dict[str, Twins] = {}
    try:
        for project in projects.each():
            for reference_id, tasks in by_reference(client, project, ids, may_go).items():
                seen[reference_id] = _settled(client, tasks, may_go)
    except StoppedError:
        return None
    return seen


def by_reference(
    client: LabelStudio, project: int, ids: Iterable[str], may_go: Callable[[], bool]
) -> dict[str, list[Task]]:
    """Return the project's tasks of these ids, by id, the oldest first.

    Raises RemoteError; AccessRefused where others are found.
    """
    found: dict[str, list[Task]] = defaultdict(list)
    for portion in queries.portions(ids, AT_ONCE):
        wanted = set(portion)
        for tasks in pages(partial(_ask, client, project, may_go), project, queries.by_reference(portion)):
            for task in tasks:
                if task.reference_id not in wanted or task.project != project:
                    raise _others(task)
                found[task.reference_id].append(task)
    return found


def listed(client: LabelStudio, project: int, may_go: Callable[[], bool]) -> Iterator[list[Found]]:
    """Yield the project's tasks that have a reference_id, a page at a time, as long as `may_go` says so."""
    try:
        for tasks in pages(partial(_ask, client, project, may_go), project):
            yield [found_of(task) for task in tasks if not is_trial(task.reference_id)]
    except StoppedError:
        return


def found_of(task: Task) -> Found:
    """Return a task as every target tells of a job."""
    return Found(str(task.id), task.reference_id, task.frame_count, None, None)


def _settled(client: LabelStudio, tasks: list[Task], may_go: Callable[[], bool]) -> Twins:
    """Remove those of the tasks of one reference_id that are the same as the one that stays, and nobody's work.

    They are looked at once more, each by itself: a list shows no drafts. What is left is told in the log.
    """
    if len(tasks) == 1:
        return Twins(found_of(tasks[0]))
    whole = [task for each in tasks if (task := _whole(client, each.id, may_go)) is not None]
    if not whole:
        return Twins(found_of(tasks[0]))
    kept = min(whole, key=lambda task: (not task.is_worked_on, task.id))
    removed, left = [], []
    for task in whole:
        if task is kept:
            continue
        of_job = about("", task.reference_id, str(task.id))
        if task.is_worked_on or not task.is_twin_of(kept):
            left.append(str(task.id))
            log.warning("%s: task %d is there beside %d: remove one", task.reference_id, task.id, kept.id, extra=of_job)
            continue
        _go(may_go)
        client.remove(task.id)
        removed.append(str(task.id))
        log.info("%s: removed task %d, which was there beside %d", task.reference_id, task.id, kept.id, extra=of_job)
    return Twins(found_of(kept), tuple(removed), tuple(left))


def _whole(client: LabelStudio, task_id: int, may_go: Callable[[], bool]) -> Task | None:
    _go(may_go)
    try:
        return client.task(task_id)
    except Refused as error:
        if error.code == f"http-{NOT_THERE}":  # another host has removed it
            return None
        raise


def _others(found: Task) -> AccessRefused:
    return AccessRefused(
        f"{NAME} answers a question for some tasks with others: it cannot be asked for ours "
        f"({REFERENCE_ID} {found.reference_id!r})",
        code=FILTER,
        is_of_all=True,
    )


def _ask(
    client: LabelStudio, project: int, may_go: Callable[[], bool], address: str
) -> tuple[list[Task], int, int] | None:
    _go(may_go)
    return client.tasks(address, project)


def _go(may_go: Callable[[], bool]) -> None:
    if not may_go():
        raise StoppedError
