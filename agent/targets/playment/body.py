"""A job to the JSON body of the request that creates it, as the vendor's API page has it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.model import Edition, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.model import Job


def body(job: Job) -> dict[str, object]:
    """Return the body of `POST …/jobs`: an image by its URL, a sequence by its frames in order.

    `batch_id` is left out where the job goes into the project's default batch. Each frame must have its `src`.
    """
    data: dict[str, object]
    if job.kind is Kind.IMAGE:
        data = {"image_url": job.frames[0].src}
    else:
        data = {"video_data": {"frames": [{"frame_id": frame.frame_id, "src": frame.src} for frame in job.frames]}}
    named_by = "tag" if job.edition is Edition.V0 else "work_flow_id"
    sent: dict[str, object] = {"reference_id": job.reference_id, named_by: job.tag, "data": data}
    if job.batch_id is not None:
        sent["batch_id"] = job.batch_id
    sent["priority_weight"] = job.priority_weight
    return sent


def frame_count(sent: Mapping[str, object]) -> int:
    """Return how many files a body names."""
    data = sent.get("data")
    video = data.get("video_data") if isinstance(data, dict) else None
    return len(video["frames"]) if isinstance(video, dict) else 1
