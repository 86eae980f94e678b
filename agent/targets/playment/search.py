"""What Playment's lists hold: the search for our jobs through the batches, and all there is."""

from __future__ import annotations

import logging
from itertools import islice
from typing import TYPE_CHECKING

from agent.errors import AccessRefused, Refused
from agent.model.jobs import Found
from agent.targets.playment.answers import bad_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from agent.errors import RemoteError
    from agent.model.jobs import Lookup
    from agent.targets import Batch
    from agent.targets.playment.answers import ListedJob
    from agent.targets.playment.client import Playment

log = logging.getLogger(__package__)

AT_ONCE = 100


def search(playment: Playment, wanted: Sequence[Lookup], may_go: Callable[[], bool]) -> dict[str, Found] | None:
    """Look for jobs by reference id, with one shared pass over each list; return what was found, by reference id.

    The batches that the intents name come first, then the default one, then the others; the pass ends with the page
    that shows the last one wanted. `may_go` is asked before each request; None where it said no. Raises RemoteError.
    """
    missing = {lookup.reference_id for lookup in wanted}
    found: dict[str, Found] = {}
    named = list(dict.fromkeys(lookup.batch_id for lookup in wanted if lookup.batch_id is not None))
    refused: dict[str, RemoteError] = {}
    for batch_id in named:
        try:
            if not _look_in(playment, batch_id, missing, found, may_go):
                return None
        except (Refused, AccessRefused) as error:  # a batch that was deleted holds up nobody
            log.warning("the batch %s cannot be listed: %s", batch_id, error)
            refused[batch_id] = error
        if not missing:
            return found
    if not may_go():
        return None
    for batch in sorted(playment.details().batches, key=lambda batch: not batch.is_default):
        if batch.id in refused:
            raise refused[batch.id]
        if batch.id not in named and missing and not _look_in(playment, batch.id, missing, found, may_go):
            return None
    return found


def _look_in(
    playment: Playment, batch_id: str, missing: set[str], found: dict[str, Found], may_go: Callable[[], bool]
) -> bool:
    """Move from `missing` to `found` what the batch's list shows; False where `may_go` said no."""
    token: str | None = None
    seen: set[str] = set()
    while missing:
        if not may_go():
            return False
        page = playment.batch_jobs(batch_id, token)
        for job in page.jobs:
            if job.reference_id in missing:
                missing.remove(job.reference_id)
                found[job.reference_id] = _found(job, batch_id)
        token = page.next_page_token
        if token is None:
            break
        if token in seen:
            raise bad_reply("its page tokens go round in a circle")
        seen.add(token)
    return True


def listed(
    playment: Playment, batches: Iterable[Batch], may_go: Callable[[], bool]
) -> Iterator[tuple[Batch, list[Found]]]:
    """Yield the jobs of the batches' lists, a hundred at a time, as long as `may_go` says so. Raises RemoteError."""
    for batch in batches:
        jobs = playment.iter_batch_jobs(batch.id)
        while may_go() and (some := [_found(job, batch.id) for job in islice(jobs, AT_ONCE)]):
            yield batch, some


def _found(job: ListedJob, batch_id: str) -> Found:
    return Found(job.id, job.reference_id, job.frames, job.tag, batch_id)
