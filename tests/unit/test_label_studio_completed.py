"""What is completed is told, within an hour at the latest, whatever the server's clock says, and without end by none.

The server here answers the questions of `queries` as a Label Studio 1.23.2 does: `completed_at` is the time of the
newest annotation, however long ago that was made.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import Refused
from agent.model.jobs import SentJob
from agent.targets.label_studio.answers import Task
from agent.targets.label_studio.completed import _FEW, Completion
from tests.targets import Sent, ask

if TYPE_CHECKING:
    from agent.targets.label_studio.client import LabelStudio

HOUR = 3600.0
TASKS = 12


class Server:
    """A project's tasks by when each was completed; `now` is its clock."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.completed: dict[int, str] = {}
        self.asked: list[list[dict[str, Any]]] = []
        self.refuses: set[int] = set()
        self.reads_times = True

    def tasks(self, address: str, project: int) -> tuple[list[Task], int, int]:
        if project in self.refuses:
            raise Refused("no", code="http-400")
        query = parse_qs(urlsplit(address).query)
        filters = json.loads(query["query"][0])["filters"]["items"]
        self.asked.append(filters)
        ids = [each for each in sorted(self.completed) if all(self._passes(each, one) for one in filters)]
        ids = ids[: int(query["page_size"][0])]
        told = [Task(each, project, f"r~{each}", None, self.completed[each], {}) for each in ids]
        return told, len(ids), ids[-1] if ids else 0

    def _passes(self, task: int, one: dict[str, Any]) -> bool:
        column, value = one["filter"].rpartition(":")[2], one["value"]
        if column == "completed_at":
            asked = datetime.fromisoformat(value)
            return not self.reads_times or datetime.fromisoformat(self.completed[task]) > asked
        if column == "id":
            return task in value if one["operator"] == "in_list" else task > value
        assert (column, value) in {("total_annotations", 0), ("cancelled_annotations", 0)}
        return True


class World:
    def __init__(self, projects: tuple[int, ...] = (1,), jobs: int = TASKS) -> None:
        self.server = Server()
        self.monotonic = 0.0
        self.awaited = Sent(*(SentJob(f"r~{n}", str(n)) for n in range(1, jobs + 1)))
        self.completion = Completion(cast("LabelStudio", self.server), projects, lambda: self.monotonic)

    def annotate(self, task: int, ago: timedelta = timedelta()) -> None:
        self.server.completed[task] = (self.server.now - ago).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def round(self) -> set[int]:
        self.server.asked.clear()
        told = {int(job.job_id) for some in self.completion.completed(self.awaited, ask) for job in some}
        self.awaited.jobs = [job for job in self.awaited.jobs if int(job.job_id) not in told]
        return told


STEPS = st.lists(
    st.tuples(st.just("annotated"), st.integers(1, TASKS), st.integers(0, 500))
    | st.tuples(st.just("clock"), st.floats(-1e6, 1e6), st.none())
    | st.tuples(st.just("round"), st.none(), st.none()),
    max_size=40,
)


@given(STEPS)
def test_nothing_is_lost_and_nothing_goes_on_without_end(steps: list[tuple[str, Any, Any]]) -> None:
    world, told = World(), set[int]()
    for step, what, ago in steps:
        if step == "clock":
            world.server.now += timedelta(seconds=what)
        elif step == "annotated":
            world.annotate(what, timedelta(hours=ago))
        else:
            told |= world.round()
            assert len(world.server.asked) <= 2
    world.monotonic += HOUR
    told |= world.round()
    assert told == set(world.server.completed)
    assert world.round() == set()


@given(st.lists(st.tuples(st.integers(1, TASKS), st.floats(0, 1e6)), max_size=TASKS), st.floats(-1e8, 1e8))
def test_by_any_clock_that_goes_on_the_next_round_tells_it(made: list[tuple[int, float]], off: float) -> None:
    world = World()
    world.server.now += timedelta(seconds=off)
    world.round()
    for task, later in made:
        world.server.now += timedelta(seconds=later)
        is_new = task not in world.server.completed
        world.annotate(task)
        assert world.round() == ({task} if is_new else set())


def test_at_the_very_same_moment() -> None:
    world = World()
    world.annotate(1)
    assert world.round() == {1}
    world.annotate(2)
    assert world.round() == {2}


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "2026-01-01T00:00:00", "odd"])
def test_a_moment_that_cannot_be_is_no_end(moment: str) -> None:
    world = World()
    world.server.reads_times = False
    world.server.completed[1] = moment
    assert world.round() == {1}
    world.monotonic += HOUR
    assert world.round() == set()


def test_few_are_asked_for_by_their_ids_and_many_by_going_through_all() -> None:
    for jobs, by_ids in ((1, 1), (101, 2), (_FEW, _FEW // 100), (_FEW + 1, 0)):
        world = World(jobs=jobs)
        world.round()
        world.monotonic += HOUR
        world.round()
        lists = [one["value"] for filters in world.server.asked for one in filters if one["operator"] == "in_list"]
        assert len(lists) == by_ids
        assert sum(map(len, lists)) == (jobs if by_ids else 0)


def test_what_is_skipped_is_told_of_every_project_before_one_is_refused() -> None:
    world = World(projects=(1, 2))
    world.annotate(1)
    world.server.refuses = {1}
    skipped = world.completion.skipped(world.awaited, ask)
    assert [job.job_id for job in next(skipped)] == ["1"]
    with pytest.raises(Refused):
        next(skipped)
