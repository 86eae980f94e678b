"""What Playment's lists say of our jobs: the search through the batches, and whether a job found there is ours."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.errors import AccessRefused, Refused
from agent.model import Kind
from agent.targets.playment.answers import bad_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.errors import RemoteError
    from agent.model.jobs import Lookup
    from agent.targets.playment.client import ListedJob, Playment

log = logging.getLogger(__package__)


@dataclass(frozen=True, slots=True)
class Found:
    """A job of Playment's with one of the wanted reference ids."""

    job: ListedJob
    batch_id: str


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
                found[job.reference_id] = Found(job, batch_id)
        token = page.next_page_token
        if token is None:
            break
        if token in seen:
            raise bad_reply("its page tokens go round in a circle")
        seen.add(token)
    return True


def why_not_ours(found: Found, wanted: Lookup) -> str | None:
    """Say why a job of this reference id cannot be taken for ours, or return None where it is.

    After a try of ours that was never answered, equal id, tag and frame count are enough. Without one (another host
    sent it, or the ledger was lost), the id must also hold the content's digest: else it may be other content's.
    """
    job = found.job
    if not wanted.attempted and wanted.digest[:12] not in wanted.reference_id:
        return "Playment has a job of this reference_id that this agent did not send (REFERENCE_ID has no {digest})"
    if job.tag is not None and wanted.tag is not None and job.tag != wanted.tag:  # None: no intent has fixed one
        return f"Playment's job of this reference_id has the tag {job.tag!r}, not {wanted.tag!r}"
    # The API page gives no frame count of an image job: none, 0 and 1 all mean the one image.
    frames = job.frames or (1 if wanted.kind is Kind.IMAGE else 0)
    if frames != wanted.frame_count:
        return f"Playment's job of this reference_id has {frames} frames, not {wanted.frame_count}"
    return None
