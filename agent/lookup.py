"""What Playment's lists say of our jobs: the search through the batches, and whether a job found there is ours."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.model import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent.ledger.jobs import Lookup
    from agent.playment import ListedJob, Playment

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """A job of Playment's with one of the wanted reference ids."""

    job: ListedJob
    batch_id: str


def search(playment: Playment, wanted: Sequence[Lookup]) -> dict[str, Found]:
    """Look for jobs by reference id, with one shared pass over each list; return what was found, by reference id.

    The batches that the intents name come first, then the default one, then the others; the pass ends with the page
    that shows the last one wanted. Raises RemoteError.
    """
    missing = {lookup.reference_id for lookup in wanted}
    found: dict[str, Found] = {}
    for batch_id in _batches(playment, wanted):
        for job in playment.iter_batch_jobs(batch_id):
            if job.reference_id in missing:
                missing.remove(job.reference_id)
                found[job.reference_id] = Found(job, batch_id)
                if not missing:
                    return found
    return found


def _batches(playment: Playment, wanted: Sequence[Lookup]) -> Iterator[str]:
    """Yield the ids of the batches to look in; the project's details are asked for only once they are needed."""
    named = list(dict.fromkeys(lookup.batch_id for lookup in wanted if lookup.batch_id is not None))
    yield from named
    batches = sorted(playment.details().batches, key=lambda batch: not batch.is_default)
    yield from (batch.id for batch in batches if batch.id not in named)


def why_not_ours(found: Found, wanted: Lookup) -> str | None:
    """Say why a job of this reference id cannot be taken for ours, or return None where it is.

    After a try of ours that was never answered, equal id, tag and frame count are enough. Without one (another host
    sent it, or the ledger was lost), the id must also hold the content's digest: else it may be other content's.
    """
    job = found.job
    if not wanted.attempted and wanted.digest[:12] not in wanted.reference_id:
        return "Playment has a job of this reference_id that this agent did not send (REFERENCE_ID has no {digest})"
    if job.tag is not None and job.tag != wanted.tag:
        return f"Playment's job of this reference_id has the tag {job.tag!r}, not {wanted.tag!r}"
    # The API page gives no frame count of an image job: none, 0 and 1 all mean the one image.
    frames = job.frames or (1 if wanted.kind is Kind.IMAGE else 0)
    if frames != wanted.frame_count:
        return f"Playment's job of this reference_id has {frames} frames, not {wanted.frame_count}"
    return None
