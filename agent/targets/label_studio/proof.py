"""Proves that a project's tasks are found by their reference_id, before anything is sent there.

A server that does not find what it has answers 'nothing there', and every lost reply would become a second task.
"""

from __future__ import annotations

import logging
import math
import secrets
import threading
import time
from typing import TYPE_CHECKING, Final

from agent.errors import AccessRefused, Refused, TryLater
from agent.targets.label_studio import NAME, queries
from agent.targets.label_studio.error_table import FILTER
from agent.targets.label_studio.labelling import FRAME_IDS, REFERENCE_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.targets.label_studio.answers import Task
    from agent.targets.label_studio.client import LabelStudio
    from agent.targets.label_studio.labelling import Keys

log = logging.getLogger(__package__)

_PREFIX: Final = "playment-agent-check~"
_LEFT_SECONDS: Final = 3600.0  # a trial of another host lives for as long as three requests
_PICTURE: Final = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw=="
_NEWEST: Final = 20


def _new_trial() -> str:
    """Return the reference_id of a trial, which tells when it was made."""
    return f"{_PREFIX}{int(time.time())}~{secrets.token_hex(8)}"


def is_trial(reference_id: str) -> bool:
    """Tell whether a task was made to be found, and removed."""
    return reference_id.startswith(_PREFIX)


class Proof:
    """The proof for one project. Used by any thread.

    What one call has got through no later one does again: where many answers are lost, a row of requests hardly ever
    goes well as a whole.
    """

    def __init__(self, client: LabelStudio, project: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._project = project
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: str | None = None
        self._trials: list[str] = []
        self._made: list[int] = []
        self._may_come_until = -math.inf
        self._is_proven = False
        self._tidy_at = -math.inf

    @property
    def steps(self) -> int:
        """How much was got through so far."""
        return (self._known is not None) + len(self._made)

    def prove(self, keys: Keys) -> None:
        """Have the server find a task that it has; where none has a reference_id, one is made for it.

        Raises AccessRefused where the task is not found, and every error of the client.
        """
        with self._lock:
            if self._is_proven:
                return
            if self._known is None:
                self._known = self._newest()
            if not (self._known and self._found(self._known)):
                self._known = ""  # it may be gone meanwhile
                self._find_trial(keys)
                log.info("the project %d finds its tasks by their %s", self._project, REFERENCE_ID)
            self._is_proven = True

    def tidy(self) -> None:
        """Remove our trials, and those that others have left: again when a request for one must be over, and hourly.

        One that is to be found yet stays. Raises every error of the client.
        """
        with self._lock:
            now = self._monotonic()
            if not self._is_proven or now < self._tidy_at:
                return
            for task in self._tasks(queries.address(self._project, (queries.beginning_with(_PREFIX),), 100)):
                if task.reference_id in self._trials or _age(task.reference_id) > _LEFT_SECONDS:
                    self._client.remove(task.id)
            may_come = now < self._may_come_until
            self._tidy_at = self._may_come_until if may_come else now + _LEFT_SECONDS

    def _newest(self) -> str:
        """Return the reference_id of one of the newest tasks that are no trials, '' where there is none."""
        there = self._tasks(queries.address(self._project, (), _NEWEST, newest=True))
        return next((task.reference_id for task in there if not is_trial(task.reference_id)), "")

    def _find_trial(self, keys: Keys) -> None:
        if self._trials and self._found(self._trials[-1]):  # only an answer was lost
            return
        self._trials.append(_new_trial())
        self._made.append(self._make(keys, self._trials[-1]))
        if not self._found(self._trials[-1]):
            while self._made:
                self._client.remove(self._made[-1])
                self._made.pop()
            raise _unproven("it was not found")

    def _make(self, keys: Keys, trial: str) -> int:
        data: dict[str, object] = {keys.key: [_PICTURE], FRAME_IDS: ["check"]} if keys.is_list else {keys.key: _PICTURE}
        try:
            return self._client.create_task({"project": self._project, "data": {**data, REFERENCE_ID: trial}})
        except TryLater:
            self._may_come_until = self._monotonic() + 2 * self._client.post_seconds
            raise

    def _found(self, reference_id: str) -> bool:
        try:
            found = self._tasks(queries.address(self._project, (queries.by_reference([reference_id]),), 100))
        except Refused as error:
            raise _unproven(str(error)) from None
        if any(task.reference_id != reference_id for task in found):
            raise _unproven("others were found beside it")
        return bool(found)

    def _tasks(self, address: str) -> list[Task]:
        page = self._client.tasks(address, self._project)
        if page is None:  # tasks of 100,000 frames: one tells as much as twenty
            page = self._client.tasks(address.replace(f"page_size={_NEWEST}", "page_size=1"), self._project)
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
        is_of_all=True,
    )
