"""What Label Studio's answers hold, checked field by field, as frozen records. Pure.

Every function takes decoded JSON and raises `TryLater` (code `bad-reply`) where it is not what it must be: what cannot
be read proves nothing about what was done.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from agent.errors import TryLater
from agent.model import is_utf8
from agent.targets.label_studio import NAME
from agent.targets.label_studio.labelling import FRAME_IDS, REFERENCE_ID

_LARGEST: Final = 2**63 - 1  # the largest integer that the ledger can hold
_PEOPLE: Final = "maximum_annotations"
_OURS: Final = frozenset({REFERENCE_ID, FRAME_IDS})
_WORK: Final = ("annotations", "drafts", "total_annotations", "cancelled_annotations", "comment_count")


@dataclass(frozen=True, slots=True)
class Task:
    """A task that has a reference_id. `frame_ids` is None for one that is no list; `completed_at` where it is told."""

    id: int
    project: int
    reference_id: str
    frame_ids: tuple[object, ...] | None
    completed_at: str | None
    whole: dict[str, object] = field(compare=False, repr=False)

    @property
    def frame_count(self) -> int:
        """How many frames it has; an image is one."""
        return 1 if self.frame_ids is None else len(self.frame_ids)

    @property
    def sources(self) -> list[str]:
        """The addresses of its files, without what is signed at their end: the same of the same job, sent twice."""
        data = self.whole.get("data")
        shown = [value for key, value in data.items() if key not in _OURS] if isinstance(data, dict) else []
        flat = [each for value in shown for each in (value if isinstance(value, list) else [value])]
        return [each.partition("?")[0] for each in flat if isinstance(each, str)]

    def is_twin_of(self, other: Task) -> bool:
        """Tell whether both are the same job, made twice. True of whole tasks only."""
        return (self.frame_ids, self.sources) == (other.frame_ids, other.sources)

    @property
    def is_worked_on(self) -> bool:
        """Whether there is anything in it that somebody made. True of a whole task only, as `Client.task` gives it.

        A list shows no drafts unless it is asked for all fields: they are an empty list there, whatever there is.
        """
        reviews = (value for key, value in self.whole.items() if "review" in key)
        return any(self.whole.get(key) for key in _WORK) or any(reviews)


@dataclass(frozen=True, slots=True)
class ProjectDetails:
    """A project's title, its labelling configuration, and how many people are to annotate each task."""

    id: int
    title: str
    config: str
    people: int = 1


def bad_reply(what: str) -> TryLater:
    """Return the error for an answer that is not as it must be; `what` is the part of the sentence that says how."""
    return TryLater(f"{NAME}'s answer is not the one that was to be expected: {what}", code="bad-reply", is_outage=True)


def created(body: object, project: int, reference_id: str) -> int:
    """Return the id of a task that was made; the answer must be about the very task that was sent."""
    made = task(body)
    if made is None or made.reference_id != reference_id or made.project != project:
        raise bad_reply("it is about another task than the one sent")
    return made.id


def tasks(body: object) -> tuple[list[Task], int, int]:
    """Return a page of tasks: those with a reference_id, how many it had in all, and the id of the last (0: none)."""
    rows = body.get("tasks") if isinstance(body, dict) else None
    if not isinstance(rows, list):
        raise bad_reply("it is no list of tasks")
    last = number(rows[-1], "id") if rows else 0
    return [each for row in rows if (each := task(row)) is not None], len(rows), last


def task(row: object) -> Task | None:
    """Return a task, or None for one that has no reference_id, and so is none of ours."""
    data = row.get("data") if isinstance(row, dict) else None
    if not isinstance(row, dict) or not isinstance(data, dict):
        raise bad_reply("a task is no object with data")
    reference_id = data.get(REFERENCE_ID)
    if not isinstance(reference_id, str) or not is_utf8(reference_id):
        return None
    names = data.get(FRAME_IDS)
    completed_at = row.get("completed_at")
    return Task(
        id=number(row, "id"),
        project=number(row, "project"),
        reference_id=reference_id,
        frame_ids=tuple(names) if isinstance(names, list) else None,
        completed_at=completed_at if isinstance(completed_at, str) else None,
        whole=row,
    )


def project_details(body: object, project: int) -> ProjectDetails:
    """Return a project's details; the answer must be about it."""
    if not isinstance(body, dict) or number(body, "id") != project:
        raise bad_reply("it is about another project than the one asked for")
    title, config = body.get("title"), body.get("label_config")
    if not isinstance(title, str) or not isinstance(config, str):
        raise bad_reply("a project has no title, or no labelling configuration")
    return ProjectDetails(project, title, config, number(body, _PEOPLE) if _PEOPLE in body else 1)


def projects(body: object) -> list[ProjectDetails]:
    """Return the details of the projects in a list."""
    rows = body.get("results") if isinstance(body, dict) else None
    if not isinstance(rows, list):
        raise bad_reply("it is no list of projects")
    return [project_details(row, number(row, "id")) for row in rows]


def text(body: object, key: str) -> str:
    """Return a text of an object."""
    value = body.get(key) if isinstance(body, dict) else None
    if not isinstance(value, str) or not value:
        raise bad_reply(f"'{key}' is no text")
    return value


def number(row: object, key: str) -> int:
    """Return a positive whole number of an object. `True` is none, nor is the UUID that an error's `id` is."""
    value = row.get(key) if isinstance(row, dict) else None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _LARGEST:
        raise bad_reply(f"'{key}' is no whole number")
    return value
