"""A refusal that no job has to do with fails none for good."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest

from agent.errors import AccessRefused, Refused, RemoteError, TryLater
from agent.targets.label_studio.answers import ProjectDetails, Task
from agent.targets.label_studio.error_table import FILTER, classify, no_project
from agent.targets.label_studio.labelling import IMAGE_CONFIG
from agent.targets.label_studio.proof import is_trial
from agent.targets.label_studio.search import Projects
from agent.targets.label_studio.target import LabelStudioTarget
from tests.targets import job_of

if TYPE_CHECKING:
    from agent.targets.label_studio.client import LabelStudio

LEFT = f"playment-agent-check~{10**9}~{'0' * 16}"  # of a process that was killed


class Server:
    """A project whose tasks have these reference_ids; `remove` is refused as `refuses` says, and trials where told."""

    post_seconds = 120.0

    def __init__(self) -> None:
        self.ids = ["old~1", LEFT]
        self.refuses: RemoteError | None = None
        self.heeds_filters = True
        self.takes_trials = True

    def project(self, project: int) -> ProjectDetails:
        return ProjectDetails(project, "drive images", IMAGE_CONFIG)

    def tasks(self, address: str, project: int) -> tuple[list[Task], int, int]:
        filters = json.loads(parse_qs(urlsplit(address).query)["query"][0])["filters"]["items"]
        found = [
            Task(number, project, reference_id, None, None, {})
            for number, reference_id in enumerate(self.ids, 1)
            if not self.heeds_filters or all(self._passes(reference_id, each) for each in filters)
        ]
        return found, len(found), found[-1].id if found else 0

    def _passes(self, reference_id: str, one: dict[str, Any]) -> bool:
        if one["filter"] == "filter:tasks:id":
            return True
        return reference_id in one["value"] if one["operator"] == "in_list" else one["value"] in reference_id

    def create_task(self, body: dict[str, Any]) -> int:
        reference_id = body["data"]["reference_id"]
        if is_trial(reference_id) and not self.takes_trials:
            raise Refused('"image" key is expected in task data', code="http-400")
        self.ids.append(reference_id)
        return len(self.ids)

    def remove(self, task_id: int) -> None:
        if self.refuses is not None:
            raise self.refuses
        del self.ids[task_id - 1]


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def target(server: Server) -> LabelStudioTarget:
    return LabelStudioTarget(cast("LabelStudio", server), Projects(1, 1))


@pytest.mark.parametrize("kind", [Refused, AccessRefused, TryLater])
def test_a_job_is_sent_though_what_was_tried_with_cannot_be_removed(
    server: Server, target: LabelStudioTarget, kind: type[RemoteError]
) -> None:
    server.refuses = kind("no", code="http-405")
    assert target.create(job_of("a~1")) == "3"
    assert target.twins(["a~1"], lambda: True)
    assert server.ids == ["old~1", LEFT, "a~1"]
    server.refuses = None
    target.create(job_of("b~1"))
    assert [each for each in server.ids if is_trial(each)] == []


def test_a_trial_that_is_refused_leaves_the_job_to_be_sent_later(server: Server, target: LabelStudioTarget) -> None:
    server.ids, server.takes_trials = [], False
    with pytest.raises(TryLater, match="is expected") as caught:
        target.create(job_of("a~1"))
    assert (caught.value.code, caught.value.refused) == ("http-400", True)
    assert server.ids == []
    server.takes_trials = True
    target.create(job_of("a~1"))
    assert "a~1" in server.ids


def test_a_server_that_answers_with_other_tasks_is_no_fault_of_the_job(
    server: Server, target: LabelStudioTarget
) -> None:
    target.create(job_of("a~1"))
    server.heeds_filters = False
    with pytest.raises(AccessRefused, match="with others") as caught:
        target.create(replace(job_of("b~1"), may_be_there=True))
    assert (caught.value.code, caught.value.is_of_all) == (FILTER, True)
    assert "b~1" not in server.ids


@pytest.mark.parametrize(("status", "is_of_all"), [(302, True), (401, True), (403, False)])
def test_which_refusals_may_be_of_one_job(status: int, *, is_of_all: bool) -> None:
    error = classify(status, {}, "", None)
    assert isinstance(error, AccessRefused)
    assert error.is_of_all is is_of_all


def test_a_project_that_is_not_there_is_no_fault_of_the_job() -> None:
    assert no_project(7).is_of_all
