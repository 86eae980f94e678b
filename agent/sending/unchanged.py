"""Whether a job's files are still the ones that settled: asked right before a request leaves and after its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.fingerprints import unlike
from agent.errors import FolderUnavailable
from agent.model import Kind, basename, parent

if TYPE_CHECKING:
    from agent.model import Job
    from agent.sending.context import SendingContext


def first_changed(context: SendingContext, job: Job) -> str | None:
    """Return the name of a file that is not as it was when the job's unit settled, or None.

    A frame that was added counts: what was settled is only a part of its folder then. Raises FolderUnavailable.
    """
    first = job.frames[0]
    if job.kind is Kind.IMAGE:
        now = context.scanner.stamp(first.path)
        return None if now is not None and now.is_like(first.stamp) else basename(first.path)
    folder = parent(first.path)
    marker = context.folders.of(folder).ready_marker
    told = context.fingerprint(folder, marker)
    if told is not None and told == job.seen:
        return None
    settled = {(frame.frame_id, *frame.stamp) for frame in job.frames}
    listing = context.scanner.list(folder, marker)
    seen = listing.files if listing is not None else ()
    return min(unlike(settled, seen), default=None)


def changed_meanwhile(context: SendingContext, job: Job) -> bool:
    """Tell whether a job's files changed while it was sent; where that cannot be told, they may have."""
    try:
        return first_changed(context, job) is not None
    except FolderUnavailable:
        return True  # the unit is looked at again as soon as its folder can be
