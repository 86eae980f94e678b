"""Which of our jobs are completed at Playment, or have failed there: the lists give 100 jobs a call.

The jobs of a batch are asked for one by one only where that takes fewer calls, and each failed one for why it is so.
"""

from __future__ import annotations

import logging
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Final

from agent.errors import AccessRefused, Refused
from agent.model.jobs import FailedJob, SentJob
from agent.model.journal import about
from agent.targets.playment.error_table import failed_later

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.targets import Ask, Awaited
    from agent.targets.playment.client import Playment

log = logging.getLogger(__package__)

_COMPLETED: Final = "completed"
_FAILED: Final = "failed"
_PAGE: Final = 100


def completed(client: Playment, awaited: Awaited, ask: Ask) -> Iterator[list[SentJob | FailedJob]]:
    """Yield the jobs of each page that are completed or have failed, or each that was asked for alone."""
    wanted = awaited.open_batches()
    if not wanted:
        return
    details = ask(client.details)
    totals = {batch.id.lower(): batch.total_jobs or 0 for batch in details.batches}
    default = next((batch.id for batch in details.batches if batch.is_default), None)
    for batch_id, count in wanted.items():
        listed = batch_id or default
        if listed is None:
            log.warning("the project names no default batch: %d jobs in it cannot be asked for", count)
            continue
        pages = ceil(max(totals.get(listed.lower(), 0), count) / _PAGE)
        try:
            if count < pages:
                yield from _one_by_one(client, awaited.open_jobs(batch_id), ask)
            else:
                yield from _pages(client, listed, batch_id, awaited, ask, missing=count)
        except (Refused, AccessRefused) as error:
            log.warning("the jobs of the batch %s cannot be asked for: %s", listed, error)


def _pages(
    client: Playment, listed: str, batch_id: str | None, awaited: Awaited, ask: Ask, *, missing: int
) -> Iterator[list[SentJob | FailedJob]]:
    """Yield what is over of each page, until all that are awaited have been seen."""
    token: str | None = None
    seen: set[str] = set()
    while missing > 0:
        page = ask(partial(client.batch_jobs, listed, token))
        stand = {SentJob(job.reference_id, job.id): job.status.casefold() for job in page.jobs}
        ours = awaited.still_open(stand)
        missing -= len(ours)
        yield [job for job in ours if stand[job] == _COMPLETED]
        for job in ours:
            if stand[job] == _FAILED:
                yield _alone(client, job, ask, listed_as=_FAILED)
        token = page.next_page_token
        if token is None or token in seen:
            break
        seen.add(token)
    if missing > 0:
        name = batch_id or "the default batch"
        log.info("%d submitted jobs are not in the list of %s: 'reconcile' says more", missing, name)


def _one_by_one(client: Playment, jobs: list[SentJob], ask: Ask) -> Iterator[list[SentJob | FailedJob]]:
    for job in jobs:
        yield _alone(client, job, ask)


def _alone(client: Playment, job: SentJob, ask: Ask, listed_as: str = "") -> list[SentJob | FailedJob]:
    """Return a job that is over; where it cannot be asked for, it is as a list has it."""
    try:
        details = ask(partial(client.job, job.job_id))
    except (Refused, AccessRefused) as error:
        log.warning("%s cannot be asked for: %s", job.reference_id, error, extra=about("", *job))
        return [FailedJob(job, *failed_later(None, ""))] if listed_as == _FAILED else []
    status = details.status.casefold()
    if status == _FAILED:
        return [FailedJob(job, *failed_later(*details.error))]
    return [job] if status == _COMPLETED else []
