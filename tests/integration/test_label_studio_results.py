"""What people do with a task in a real Label Studio, and what of it comes home, and how it is told."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from agent.errors import Refused
from agent.model.jobs import SentJob
from agent.settings import load
from agent.targets.label_studio.completed import Completion
from tests.support import Agent, command, eventually, frames, image, write
from tests.targets import BOX, Sent, ask, given_of, job_of

if TYPE_CHECKING:
    from pathlib import Path

    from agent.targets.label_studio.target import LabelStudioTarget
    from tests.label_studio import Server
    from tests.serving import Served
    from tests.targets import LabelStudios

pytestmark = pytest.mark.timeout(900)  # whoever comes first installs the server

SKIP = {"result": [], "was_cancelled": True}
HOUR = 3600.0


def sent(target: LabelStudioTarget, reference_id: str, frame_count: int = 0) -> SentJob:
    return SentJob(reference_id, target.create(job_of(reference_id, frame_count)))


def annotate(world: LabelStudios, job: SentJob, body: dict[str, Any]) -> int:
    made: dict[str, Any] = world.server.call("POST", f"/api/tasks/{job.job_id}/annotations", body)
    return int(made["id"])


def completed(target: LabelStudioTarget, *jobs: SentJob) -> list[SentJob]:
    return [job for some in target.completed(Sent(*jobs), ask) for job in some]


def skipped(target: LabelStudioTarget, *jobs: SentJob) -> list[SentJob]:
    return [job for some in target.skipped(Sent(*jobs), ask) for job in some]


def result(target: LabelStudioTarget, job: SentJob, frame_id: str = "") -> dict[str, Any]:
    written = io.BytesIO()
    target.result(job.job_id, ask, frame_id)(written)
    found: dict[str, Any] = json.loads(written.getvalue())
    return found


# ---------------------------------------------------------------- what completes a task


def test_where_skips_count_as_annotations_a_skipped_task_is_skipped_all_the_same(
    world: LabelStudios, target: LabelStudioTarget
) -> None:
    world.server.call("PATCH", f"/api/projects/{world.projects.image}", {"skip_queue": "IGNORE_SKIPPED"})
    job = sent(target, "a~1")
    annotate(world, job, SKIP)
    assert world.server.call("GET", f"/api/tasks/{job.job_id}")["is_labeled"]
    assert (completed(target, job), skipped(target, job)) == ([], [job])
    annotate(world, job, {"result": [BOX]})
    assert (completed(target, job), skipped(target, job)) == ([job], [])


def test_a_task_is_completed_by_as_many_people_as_its_project_asks_for(
    world: LabelStudios, target: LabelStudioTarget
) -> None:
    world.server.call("PATCH", f"/api/projects/{world.projects.image}", {"maximum_annotations": 2})
    job = sent(target, "a~1")
    one = annotate(world, job, {"result": [BOX]})
    assert completed(target, job) == []
    other = annotate(world, job, {"result": [{**BOX, "id": "c"}], "completed_by": somebody_else(world.server)})
    assert completed(target, job) == [job]
    assert {each["id"] for each in result(target, job)["annotations"]} == {one, other}
    world.server.call("PATCH", f"/api/projects/{world.projects.image}", {"maximum_annotations": 3})
    completed(target, job)
    later = sent(target, "b~2")
    assert world.server.call("GET", f"/api/tasks/{later.job_id}")["overlap"] == 3


def somebody_else(server: Server) -> int:
    people = server.call("GET", "/api/users")
    other = [person["id"] for person in people if person["email"] == "other@localhost.invalid"]
    if not other:
        other = [server.call("POST", "/api/users", {"email": "other@localhost.invalid", "username": "other"})["id"]]
    return int(other[0])


def test_a_task_submitted_empty_is_completed_and_so_says_its_result(
    world: LabelStudios, target: LabelStudioTarget
) -> None:
    job = sent(target, "s~1", 3)
    annotate(world, job, {"result": []})
    assert completed(target, job) == [job]
    [annotation] = result(target, job)["annotations"]
    assert (annotation["result"], annotation["was_cancelled"]) == ([], False)


def test_what_is_completed_by_an_old_annotation_is_found_within_the_hour_by_its_id(
    world: LabelStudios, target: LabelStudioTarget
) -> None:
    monotonic = 0.0
    asked = Completion(target.client, world.projects.each(), lambda: monotonic)
    early, late = sent(target, "a~1"), sent(target, "b~2")
    put_aside = annotate(world, early, SKIP)
    annotate(world, late, {"result": [BOX]})
    awaited = Sent(early, late)
    assert [job for some in asked.completed(awaited, ask) for job in some] == [late]
    awaited.jobs.remove(late)
    world.server.call("PATCH", f"/api/annotations/{put_aside}/", {"was_cancelled": False})  # which leaves its time
    asked._since = dict.fromkeys(world.projects.each(), max(asked._since.values()) + timedelta(hours=1))
    assert [job for some in asked.completed(awaited, ask) for job in some] == []
    monotonic += HOUR
    world.proxy.requests.clear()
    assert [job for some in asked.completed(awaited, ask) for job in some] == [early]
    addresses = [unquote(path) for _, path in world.proxy.requests if path.startswith("/api/tasks?")]
    assert all(f'"in_list", "type": "Number", "value": [{early.job_id}]' in address for address in addresses)


def test_what_is_completed_at_the_very_moment_of_the_last_is_neither_lost_nor_asked_for_without_end(
    world: LabelStudios, target: LabelStudioTarget
) -> None:
    first, second = sent(target, "a~1"), sent(target, "b~2")
    annotate(world, first, {"result": [BOX]})
    assert completed(target, first, second) == [first]
    moment = world.server.call("GET", f"/api/tasks/{first.job_id}")["annotations"][0]["created_at"]
    annotate(world, second, {"result": [BOX]})
    world.proxy.requests.clear()
    assert completed(target, second) == [second]
    lists = [path for _, path in world.proxy.requests if path.startswith("/api/tasks?")]
    assert len(lists) == len(world.projects.each())
    assert moment[:10] in lists[0]


# ---------------------------------------------------------------- what is in a result


def test_what_is_of_no_page_is_of_the_whole_sequence(world: LabelStudios, target: LabelStudioTarget) -> None:
    job = sent(target, "s~1", 3)
    relation = {"type": "relation", "from_id": "b", "to_id": "c", "direction": "right"}
    choice = {"id": "d", "from_name": "weather", "to_name": "image", "type": "choices", "value": {"choices": ["sun"]}}
    boxes = [{**BOX, "item_index": 0}, {**BOX, "id": "c", "item_index": 2}, {**BOX, "id": "e", "item_index": 3}]
    annotate(world, job, {"result": [*boxes, relation, choice]})
    model = {"task": int(job.job_id), "result": [{**BOX, "item_index": 1}], "model_version": "m"}
    world.server.call("POST", "/api/predictions", model)
    given = result(target, job)
    [annotation], [prediction] = given["annotations"], given["predictions"]
    named = [each.get("frame_id") for each in annotation["result"]]
    assert named == ["frame_1.jpg", "frame_3.jpg", None, None, None]
    assert [each["frame_id"] for each in prediction["result"]] == ["frame_2.jpg"]


def test_all_that_is_said_of_an_image_is_of_it(world: LabelStudios, target: LabelStudioTarget) -> None:
    job = sent(target, "a~1")
    relation = {"type": "relation", "from_id": "b", "to_id": "c", "direction": "right"}
    annotate(world, job, {"result": [BOX, {**BOX, "id": "c"}, relation]})
    [annotation] = result(target, job, "frame_1.jpg")["annotations"]
    assert [each.get("frame_id") for each in annotation["result"]] == ["frame_1.jpg", "frame_1.jpg", None]


def test_a_task_that_was_removed_is_told_as_that(world: LabelStudios, target: LabelStudioTarget) -> None:
    job = sent(target, "a~1")
    world.server.call("DELETE", f"/api/tasks/{job.job_id}")
    with pytest.raises(Refused, match=f"has no task {job.job_id} any more") as raised:
        target.result(job.job_id, ask)
    assert raised.value.code == "http-404"
    assert (completed(target, job), skipped(target, job)) == ([], [])


# ---------------------------------------------------------------- the whole agent


def test_skipped_taken_up_annotated_changed_and_removed(
    tmp_path: Path, world: LabelStudios, label_studio: Server, served: Served
) -> None:
    results = tmp_path / "results"
    results.mkdir()
    given = given_of(tmp_path, world, served, RESULTS_DIR=str(results), RESULTS_POLL_SECONDS="0.5")

    def says(*arguments: str) -> str:
        told = command(*arguments, environ=given, cwd=tmp_path)
        assert told.returncode == 0, told.stdout + told.stderr
        return told.stdout

    with Agent(load.load(given, tmp_path, None)) as agent:
        write(agent.inbox / "cam/a b.jpg", image(1))
        frames(agent.inbox / "drive", 3, seed=2)
        write(agent.inbox / "gone.jpg", image(3))
        for path in ("drive", "gone.jpg", "cam"):
            agent.becomes(path, "submitted", seconds=60.0)
        (row,) = agent.rows("gone.jpg")
        gone = SentJob(row["reference_id"], row["job_id"])
        (row,) = agent.rows("drive")
        drive = SentJob(row["reference_id"], row["job_id"])

        put_aside = annotate(world, drive, SKIP)
        eventually(lambda: agent.rows("drive")[0]["error_code"] == "skipped", 60.0)
        assert "skipped by annotators: 1," in says("status")
        assert "an annotator has skipped it in Label Studio" in says("explain", "drive")
        label_studio.call("DELETE", f"/api/annotations/{put_aside}/")
        eventually(lambda: agent.rows("drive")[0]["error_code"] == "", 60.0)
        assert agent.states("drive") == ["submitted"]

        done = annotate(world, drive, {"result": [{**BOX, "item_index": 1}]})
        eventually(lambda: agent.rows("drive")[0]["result_path"], 60.0)
        file = tmp_path / "results/drive.json"
        [annotation] = json.loads(file.read_text())["annotations"]
        assert annotation["result"][0]["frame_id"] == "frame_2.jpg"
        label_studio.call("PATCH", f"/api/annotations/{done}/", {"result": []})
        label_studio.call("DELETE", f"/api/tasks/{gone.job_id}")
    before = file.stat().st_mtime_ns
    assert "0 jobs were completed since, 0 results are fetched" in says("results")
    assert file.stat().st_mtime_ns == before  # what is changed after it was fetched stays there
    told = command("reconcile", environ=given, cwd=tmp_path)
    assert told.returncode == 1
    assert "missing" in told.stdout
    assert "gone.jpg" in told.stdout
