"""A job to the task that holds it, and what a task tells of its job. Pure."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from agent.targets.label_studio.labelling import FRAME_IDS, REFERENCE_ID

if TYPE_CHECKING:
    from agent.model import Job
    from agent.targets.label_studio.labelling import Keys


def body(job: Job, project: int, keys: Keys) -> dict[str, object]:
    """Return the body of `POST /api/tasks`: where the project shows a list, an image is a list of one.

    Only a list can hold a sequence: that the project shows one is for the caller to know.
    """
    sources = [frame.src for frame in job.frames]
    data: dict[str, object]
    if keys.is_list:
        data = {keys.key: sources, FRAME_IDS: [frame.frame_id for frame in job.frames]}
    else:
        [source] = sources
        data = {keys.key: source}
    return {"project": project, "data": {**data, REFERENCE_ID: job.reference_id}}


def frame_count(sent: dict[str, object]) -> int:
    """Return how many files a body names."""
    data = sent["data"]
    names = data.get(FRAME_IDS) if isinstance(data, dict) else None
    return len(names) if isinstance(names, list) else 1


def shown(task: dict[str, object], keys: Keys) -> list[tuple[str, str]]:
    """Return what a task's page shows: each file's frame_id, '' where it has none, and its URL, in order."""
    data = task.get("data")
    found = data.get(keys.key) if isinstance(data, dict) else None
    names = data.get(FRAME_IDS) if isinstance(data, dict) else None
    sources = found if isinstance(found, list) else [found]
    if not isinstance(names, list) or not keys.is_list:
        names = [""] * len(sources)
    return [(str(name or ""), str(source or "")) for name, source in zip_longest(names, sources)]


def resolved(task: dict[str, object]) -> dict[str, object]:
    """Return a task with the `frame_id` beside each `item_index` of its annotations.

    `item_index` counts the pages of a list from zero; one that is no page's is left as it is.
    """
    data = task.get("data")
    names = data.get(FRAME_IDS) if isinstance(data, dict) else None
    if not isinstance(names, list):
        return task
    given = task.get("annotations")
    annotations = [_with_ids(each, names) for each in given] if isinstance(given, list) else given
    return {**task, "annotations": annotations}


def _with_ids(annotation: object, names: list[object]) -> object:
    if not isinstance(annotation, dict) or not isinstance(annotation.get("result"), list):
        return annotation
    return {**annotation, "result": [_with_id(region, names) for region in annotation["result"]]}


def _with_id(region: object, names: list[object]) -> object:
    index = region.get("item_index") if isinstance(region, dict) else None
    if not isinstance(region, dict) or not isinstance(index, int) or isinstance(index, bool):
        return region
    return {**region, "frame_id": names[index]} if 0 <= index < len(names) else region
