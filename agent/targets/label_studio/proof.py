"""Proves that a project's tasks are found by their reference_id, before anything is sent there.

A server that does not find what it has answers 'nothing there', and every lost reply would become a second task.
"""

from __future__ import annotations

import logging
import secrets
import time
from typing import TYPE_CHECKING, Final

from agent.errors import AccessRefused, Refused
from agent.targets.label_studio import NAME, queries
from agent.targets.label_studio.error_table import FILTER
from agent.targets.label_studio.labelling import FRAME_IDS, REFERENCE_ID

if TYPE_CHECKING:
    from agent.targets.label_studio.answers import Task
    from agent.targets.label_studio.client import LabelStudio
    from agent.targets.label_studio.labelling import Keys

log = logging.getLogger(__package__)

_PREFIX: Final = "playment-agent-check~"
_LEFT_SECONDS: Final = 3600.0  # a trial of another host lives for as long as three requests
_PICTURE: Final = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw=="
_NEWEST: Final = 20


def new_trial() -> str:
    """Return the reference_id for the trials of one process."""
    return f"{_PREFIX}{int(time.time())}~{secrets.token_hex(8)}"


def is_trial(reference_id: str) -> bool:
    """Tell whether a task was made to be found, and removed."""
    return reference_id.startswith(_PREFIX)


def prove(client: LabelStudio, project: int, keys: Keys, trial: str) -> None:
    """Have the server find a task that it has; where none has a reference_id, one is made for it, and removed.

    `trial` is that one's: where its answer was lost, the next call finds it. Raises AccessRefused where the task is not
    found, and every error of the client.
    """
    there = _tasks(client, queries.address(project, (), _NEWEST, newest=True), project)
    known = [task for task in there if not is_trial(task.reference_id)]
    if not known or known[0].id not in _found(client, project, known[0].reference_id):  # it may be gone meanwhile
        _prove_by_trial(client, project, keys, trial)
    for task in _tasks(client, queries.address(project, (queries.beginning_with(_PREFIX),), 100), project):
        if is_trial(task.reference_id) and _age(task.reference_id) > _LEFT_SECONDS:
            client.remove(task.id)


def _prove_by_trial(client: LabelStudio, project: int, keys: Keys, trial: str) -> None:
    made = _found(client, project, trial)
    if not made:
        data: dict[str, object] = {keys.key: [_PICTURE], FRAME_IDS: ["check"]} if keys.is_list else {keys.key: _PICTURE}
        made = [client.create_task({"project": project, "data": {**data, REFERENCE_ID: trial}})]
    try:
        if not set(made) <= set(_found(client, project, trial)):
            raise _unproven("it was not found")
    finally:
        for each in made:
            client.remove(each)
    log.info("the project %d finds its tasks by their %s", project, REFERENCE_ID)


def _found(client: LabelStudio, project: int, reference_id: str) -> list[int]:
    try:
        found = _tasks(client, queries.address(project, (queries.by_reference([reference_id]),), 100), project)
    except Refused as error:
        raise _unproven(str(error)) from None
    if any(task.reference_id != reference_id for task in found):
        raise _unproven("others were found beside it")
    return [task.id for task in found]


def _tasks(client: LabelStudio, address: str, project: int) -> list[Task]:
    page = client.tasks(address, project)
    if page is None:  # tasks of 100,000 frames: one tells as much as twenty
        page = client.tasks(address.replace(f"page_size={_NEWEST}", "page_size=1"), project)
    return page[0] if page else []


def _age(reference_id: str) -> float:
    try:
        return time.time() - float(reference_id.split("~")[1])
    except (ValueError, IndexError):
        return 0.0


def _unproven(reason: str) -> AccessRefused:
    return AccessRefused(
        f"{NAME} was asked for a task that it has by its {REFERENCE_ID}, and {reason}: nothing is sent, since no lost "
        "reply could be made good",
        code=FILTER,
    )
