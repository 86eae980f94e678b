"""Gives a job its URLs and its batch, and proves that the URLs can be fetched."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agent.ledger.jobs import with_sources
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
