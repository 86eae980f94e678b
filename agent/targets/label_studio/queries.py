"""The questions to a project's list of tasks, as its filters have them. Pure.

Source: trials with Label Studio 1.23.2. A filter with a column that there is not is answered with HTTP 500, a parameter
that is not known with all tasks, and a key of `data` that no task has with none: so `answers.tasks` and `proof` look
at what was found.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from agent.targets.label_studio.labelling import REFERENCE_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

_LONGEST: Final = 3_000
"""Of the ids in one address, as they are sent: nginx takes 8 kB of request line unless told otherwise."""

Filter = dict[str, object]


def by_reference(ids: Iterable[str]) -> Filter:
    """Find tasks by our ids; exact, and case-sensitive."""
    return _filter(f"data.{REFERENCE_ID}", "in_list", "String", list(ids))


def after(task_id: int) -> Filter:
    """Find tasks that are younger than one."""
    return _filter("id", "greater", "Number", task_id)


def beginning_with(prefix: str) -> Filter:
    """Find tasks whose id of ours begins so, and perhaps others that hold it elsewhere."""
    return _filter(f"data.{REFERENCE_ID}", "contains", "String", prefix)


def among(task_ids: Iterable[int]) -> Filter:
    """Find tasks by the server's ids."""
    return _filter("id", "in_list", "Number", list(task_ids))


def completed_after(moment: datetime) -> Filter:
    """Find tasks that were completed after a moment, which is in UTC: the server takes no other way to write it.

    Where a project counts skips as annotations (`skip_queue` IGNORE_SKIPPED), they hold those that were only skipped.
    """
    return _filter("completed_at", "greater", "Datetime", moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))


def annotated() -> Filter:
    """Find tasks with annotations that are no skips."""
    return _filter("total_annotations", "greater", "Number", 0)


def skipped() -> tuple[Filter, Filter]:
    """Find tasks that were skipped, and not annotated for all that."""
    return (
        _filter("cancelled_annotations", "greater", "Number", 0),
        _filter("total_annotations", "equal", "Number", 0),
    )


def address(project: int, filters: Iterable[Filter], page_size: int, *, newest: bool = False) -> str:
    """Return the path and query that ask for a project's tasks, the oldest first, or the newest.

    Their addresses are asked for as they were given: a storage of the server's would sign them.
    """
    order = "-tasks:id" if newest else "tasks:id"
    query = json.dumps({"filters": {"conjunction": "and", "items": list(filters)}, "ordering": [order]})
    return f"/api/tasks?project={project}&page_size={page_size}&resolve_uri=false&query={quote(query, safe='')}"


def portions(ids: Iterable[str], most: int) -> Iterator[list[str]]:
    """Yield the ids in portions that fit an address, `most` at a time."""
    portion: list[str] = []
    length = 0
    for each in ids:
        size = len(quote(json.dumps(each), safe=""))
        if portion and (length + size > _LONGEST or len(portion) == most):
            yield portion
            portion, length = [], 0
        portion.append(each)
        length += size
    if portion:
        yield portion


def _filter(column: str, operator: str, kind: str, value: object) -> Filter:
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}
