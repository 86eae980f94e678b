"""Which of our jobs are completed at Playment: the lists give 100 jobs a call.

The jobs of a batch are asked for one by one only where that takes fewer calls.
"""

from __future__ import annotations

import logging
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Final

from agent.errors import AccessRefused, Refused
from agent.model.jobs import SentJob

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.targets import Ask, Awaited
    from agent.targets.playment.client import Playment

log = logging.getLogger(__package__)

_COMPLETED: Final = "completed"
_PAGE: Final = 100


def completed(client: Playment, awaited: Awaited, ask: Ask) -> Iterator[list[SentJob]]:
    """Yield the completed jobs of each page, or each job that was asked for alone."""
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
) -> Iterator[list[SentJob]]:
    """Yield the completed jobs of each page, until all that are awaited have been seen."""
    token: str | None = None
    seen: set[str] = set()
    while missing > 0:
        page = ask(partial(client.batch_jobs, listed, token))
        ours = awaited.still_open([SentJob(job.reference_id, job.id) for job in page.jobs])
        missing -= len(ours)
        done = {job.reference_id for job in page.jobs if job.status.casefold() == _COMPLETED}
        yield [job for job in ours if job.reference_id in done]
        token = page.next_page_token
        if token is None or token in seen:
            break
        seen.add(token)
    if missing > 0:
        name = batch_id or "the default batch"
        log.info("%d submitted jobs are not in the list of %s: 'reconcile' says more", missing, name)


def _one_by_one(client: Playment, jobs: list[SentJob], ask: Ask) -> Iterator[list[SentJob]]:
    for job in jobs:
        try:
            details = ask(partial(client.job, job.job_id))
        except (Refused, AccessRefused) as error:
            log.warning("%s cannot be asked for: %s", job.reference_id, error)
            continue
        yield [job] if details.status.casefold() == _COMPLETED else []
