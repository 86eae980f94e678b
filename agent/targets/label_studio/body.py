"""A job to the task that holds it, and what a task tells of its job. Pure."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from agent.targets.label_studio.labelling import FRAME_IDS, REFERENCE_ID

if TYPE_CHECKING:
    from agent.model import Job
    from agent.targets.label_studio.labelling import Keys

_MADE: Final = ("annotations", "drafts", "predictions")


def body(job: Job, project: int, keys: Keys) -> dict[str, object]:
    """Return the body of `POST /api/tasks`: where the project shows a list, an image is a list of one.

    Only a list can hold a sequence: that the project shows one is for the caller to know. How many people are to
    annotate it must be said, where it is not one: what the project says of that holds for imported tasks alone.
    """
    sources = [frame.src for frame in job.frames]
    data: dict[str, object]
    if keys.is_list:
        data = {keys.key: sources, FRAME_IDS: [frame.frame_id for frame in job.frames]}
    else:
        [source] = sources
        data = {keys.key: source}
    people = {} if keys.people == 1 else {"overlap": keys.people}
    return {"project": project, "data": {**data, REFERENCE_ID: job.reference_id}, **people}


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


def resolved(task: dict[str, object], image: str = "") -> dict[str, object]:
    """Return a task that says the `frame_id` of whatever was made on one picture, by people or by a model.

    That is the page `item_index`, from zero, of a list. Where the task is of one `image`, all that has a value is of
    it; else what has no page is of the whole task. A relation is between two others, and has neither.
    """
    data = task.get("data")
    names = data.get(FRAME_IDS) if isinstance(data, dict) else None
    pages = names if isinstance(names, list) else []
    found = dict(task)
    for key in _MADE:
        given = task.get(key)
        if isinstance(given, list):
            found[key] = [_with_ids(each, pages, image) for each in given]
    return found


def _with_ids(made: object, pages: list[object], image: str) -> object:
    if not isinstance(made, dict) or not isinstance(made.get("result"), list):
        return made
    return {**made, "result": [_with_id(region, pages, image) for region in made["result"]]}


def _with_id(region: object, pages: list[object], image: str) -> object:
    if not isinstance(region, dict):
        return region
    index = region.get("item_index")
    if isinstance(index, int) and not isinstance(index, bool) and 0 <= index < len(pages):
        return {**region, "frame_id": pages[index]}
    return {**region, "frame_id": image} if image and "value" in region else region
