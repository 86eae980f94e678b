"""Which of our tasks are completed, and which were skipped.

A project is asked for what was completed since the last time, not for all that there is. That is told by the server's
own clock, and with some time over. It is the time of the newest annotation, whatever has made the task complete: one
that is ours only now, that was skipped and is not any more, or whose project wants fewer annotations than before, has
an older one. So once an hour all that are awaited are asked for, whenever they were completed.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from agent.errors import AccessRefused, Refused
from agent.model.jobs import SentJob
from agent.targets.label_studio import queries
from agent.targets.label_studio.error_table import OF_THE_TOKEN
from agent.targets.label_studio.pages import AT_ONCE, pages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.targets import Ask, Awaited
    from agent.targets.label_studio.answers import Task
    from agent.targets.label_studio.client import LabelStudio
    from agent.targets.label_studio.queries import Filter

log = logging.getLogger(__package__)

_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OVER: Final = timedelta(minutes=10)
_ALL_SECONDS: Final = 3600.0
_FEW: Final = 20 * AT_ONCE
"""So many awaited jobs are asked for by their ids, in as many requests as that takes; more by going through all."""


class Completion:
    """What is known of each project's last time; one thread's alone."""

    def __init__(
        self, client: LabelStudio, projects: tuple[int, ...], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._projects = projects
        self._monotonic = monotonic
        self._since: dict[int, datetime] = {}
        self._all_at: dict[int, float] = {}

    def completed(self, awaited: Awaited, ask: Ask) -> Iterator[list[SentJob]]:
        """Yield the awaited jobs that are completed, page by page."""
        if not awaited.open_batches():
            return
        for project in self._projects:
            try:
                yield from self._of(project, awaited, ask)
            except (Refused, AccessRefused) as error:
                _tell(project, error)

    def skipped(self, awaited: Awaited, ask: Ask) -> Iterator[list[SentJob]]:
        """Yield the awaited jobs that were skipped, page by page; a project that is refused holds up no other."""
        if not awaited.open_batches():
            return
        refused: Refused | AccessRefused | None = None
        for project in self._projects:
            try:
                for tasks in self._pages(project, ask, *queries.skipped()):
                    yield _ours(tasks, awaited)
            except (Refused, AccessRefused) as error:
                refused = error
        if refused is not None:
            raise refused

    def _of(self, project: int, awaited: Awaited, ask: Ask) -> Iterator[list[SentJob]]:
        now = self._monotonic()
        is_whole = project not in self._all_at or now - self._all_at[project] >= _ALL_SECONDS
        newest = self._since.get(project, _EVER)
        since = _EVER if is_whole else newest
        few = _few(awaited) if is_whole and project in self._all_at else None
        for some in [()] if few is None else [(queries.among(ids),) for ids in few]:
            for tasks in self._pages(project, ask, queries.completed_after(since), queries.annotated(), *some):
                yield _ours(tasks, awaited)
                newest = max([newest, *(_moment(task) - _OVER for task in tasks)])
        self._since[project] = newest
        if is_whole:
            self._all_at[project] = now

    def _pages(self, project: int, ask: Ask, *filters: Filter) -> Iterator[list[Task]]:
        return pages(lambda address: ask(partial(self._client.tasks, address, project)), project, *filters)


def _few(awaited: Awaited) -> list[list[int]] | None:
    """Return the ids of all that are awaited, as many together as one request takes; None where they are many."""
    batches = awaited.open_batches()
    if sum(batches.values()) > _FEW:
        return None
    ids = [int(job.job_id) for batch in batches for job in awaited.open_jobs(batch) if job.job_id.isdecimal()]
    return [ids[first : first + AT_ONCE] for first in range(0, len(ids), AT_ONCE)]


def _tell(project: int, error: Refused | AccessRefused) -> None:
    """Say why a project cannot be asked, so that the other one is. Raises what is about both: a refused token."""
    if error.code in OF_THE_TOKEN:
        raise error
    log.warning("the project %d cannot be asked for what is completed: %s", project, error)


def _ours(tasks: list[Task], awaited: Awaited) -> list[SentJob]:
    return awaited.still_open([SentJob(task.reference_id, str(task.id)) for task in tasks])


def _moment(task: Task) -> datetime:
    """Return when a task was completed, in UTC; long ago where that cannot be read."""
    try:
        moment = datetime.fromisoformat(task.completed_at or "")
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return _EVER + _OVER
    return max(moment, _EVER + _OVER)
