"""Makes a job ready: its URLs and its batch, that the URLs can be fetched, and that its files are still the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agent.errors import FolderUnavailable
from agent.ledger.jobs import with_sources
from agent.model import Kind, basename, parent
from agent.publishers.probe import sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from agent.folder_settings import FolderRules
    from agent.gate import Gate
    from agent.ledger.jobs import Candidate
    from agent.model import Frame, Job
    from agent.rig import Rig


def publish(rig: Rig, gate: Gate, random: Random, candidate: Candidate, batch_name: str | None) -> Job | None:
    """Return the candidate's job with all that its body needs; None where nothing may leave now.

    What an earlier intent has frozen stays as it is. Raises RemoteError, and LedgerUnavailable where the batch cannot
    be kept.
    """
    job = candidate.job
    if not candidate.frozen:
        sources = [rig.publisher.source(frame.path, frame.digest) for frame in job.frames]
        job = replace(job, frames=with_sources(job.frames, sources))
    if batch_name is not None:
        if not gate.enter():
            return None
        job = replace(job, batch_id=rig.batches.resolve(batch_name))
    if rig.probe is not None:
        for frame in job.frames if rig.probe_all else _sampled(job.frames, random):
            if not gate.enter():
                return None
            assert frame.src is not None
            rig.probe.check(frame.src, frame.stamp.size)
    return job


def with_rules(rig: Rig, candidate: Candidate, rules: FolderRules) -> tuple[Candidate, str | None]:
    """Return a job that no intent has frozen with the tag and batch that hold in its folder, and its batch's name.

    The name is None where the batch is known by its id, or is the default one.
    """
    job = candidate.job
    name = rig.batch_name(job.path)
    if rules.batch is not None:
        batch_id, name = rig.batch_of(job.path, rules.batch)
        job = replace(job, batch_id=batch_id)
    if rules.tag is not None:
        job = replace(job, tag=rules.tag)
    return replace(candidate, job=job), name


def _sampled(frames: Sequence[Frame], random: Random) -> Sequence[Frame]:
    return [frames[position] for position in sample(len(frames), random)]


def first_changed(rig: Rig, job: Job) -> str | None:
    """Return the name of a file that is not as it was when the job's unit settled, or None.

    A frame that was added counts: what was settled is only a part of its folder then. Raises FolderUnavailable.
    """
    folder = parent(job.frames[0].path)
    settled = {basename(frame.path): frame.stamp for frame in job.frames}
    if job.kind is Kind.IMAGE:
        return rig.scanner.first_changed(folder, settled.items())
    listing = rig.scanner.list(folder, rig.folders.of(folder).ready_marker)
    seen = dict(listing.images) if listing is not None else {}
    return next((name for name in (*settled, *seen) if seen.get(name) != settled.get(name)), None)


def changed_meanwhile(rig: Rig, job: Job) -> bool:
    """Tell whether a job's files changed while it was sent; where that cannot be told, they may have."""
    try:
        return first_changed(rig, job) is not None
    except FolderUnavailable:
        return True  # the unit is looked at again as soon as its folder can be
