"""The Label Studio target against a real server: each row of its error table, its tokens, its traps."""

from __future__ import annotations

import io
import json
import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import requests

from agent.demo.label_studio.words import VERSION
from agent.errors import AccessRefused, Refused, RemoteError, SettingsError, TryLater
from agent.model.jobs import SentJob
from agent.targets.label_studio import queries
from agent.targets.label_studio.client import LabelStudio
from agent.targets.label_studio.error_table import FILTER, QUERY, UNFIT
from agent.targets.label_studio.labelling import IMAGE_CONFIG, SEQUENCE_CONFIG, keys_of
from agent.targets.label_studio.projects import make
from agent.targets.label_studio.proof import Proof, is_trial
from agent.targets.label_studio.search import Projects
from agent.targets.label_studio.target import LabelStudioTarget
from tests.cutting import CUT, Cutting
from tests.fakes import Scripted, http, sends
from tests.label_studio import LEGACY_TOKEN
from tests.sending import Clock
from tests.targets import BOX, Sent, ask, job_of, lookup_of, yes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.model import Job
    from tests.label_studio import Server
    from tests.targets import LabelStudios

pytestmark = pytest.mark.timeout(900)  # whoever comes first installs the server


@pytest.fixture
def client(label_studio: Server) -> Iterator[LabelStudio]:
    given = LabelStudio(label_studio.url, LEGACY_TOKEN)
    yield given
    given.close()


def caught(call: Callable[[], object]) -> RemoteError:
    with pytest.raises(RemoteError) as raised:
        call()
    return raised.value


def configure(world: LabelStudios, project: int, config: str) -> None:
    world.server.call("PATCH", f"/api/projects/{project}", {"label_config": config})


# ---------------------------------------------------------------- the error table, row by row


def test_the_server_is_the_one_that_the_table_was_made_from(label_studio: Server) -> None:
    assert label_studio.raw("GET", "/api/projects/99999999").json()["version"] == VERSION


def test_an_expired_access_token_is_renewed_once_and_the_job_goes(world: LabelStudios, proxy: Cutting) -> None:
    target = world.target()
    target.check_access()
    target.client._carry(target.client._entries[-1][1], "Bearer aaa.bbb.ccc")  # as if what it has had ended early
    before = len(proxy.requests)
    target.create(job_of("a~1"))
    target.close()
    assert proxy.requests[before:] == [("POST", "/api/tasks"), ("POST", "/api/token/refresh"), ("POST", "/api/tasks")]
    assert world.references() == ["a~1"]


def test_only_a_refused_renewal_blocks(world: LabelStudios, proxy: Cutting) -> None:
    refused = world.target(key=world.key[:-4] + "AAAA")
    error = caught(refused.check_access)
    refused.close()
    assert isinstance(error, AccessRefused)
    assert "personal access token" in str(error)
    away = world.target()
    proxy.rate, proxy.kind, proxy.methods = 1.0, CUT, ("POST",)
    error = caught(lambda: away.create(job_of("a~1")))
    away.close()
    assert isinstance(error, TryLater)
    assert (error.refused, error.is_outage) == (True, True)  # it was the renewal that was lost, not the job


def test_another_token_is_taken_while_we_run(world: LabelStudios) -> None:
    target = world.target()
    for key in (LEGACY_TOKEN, world.key, LEGACY_TOKEN):
        target.use_key(key)
        target.check_access()
    target.use_key("0" * 40)
    assert isinstance(caught(target.check_access), AccessRefused)
    with pytest.raises(SettingsError):
        target.use_key("schlüssel")
    assert isinstance(caught(target.check_access), AccessRefused)  # the one before is in use still
    target.use_key(world.key)
    target.check_access()
    target.close()


def test_a_personal_access_token_is_not_let_in_itself(label_studio: Server) -> None:
    headers = {"Authorization": f"Bearer {label_studio.personal_token}"}
    assert requests.get(f"{label_studio.url}/api/projects", headers=headers, timeout=60).status_code == 401


def test_legacy_tokens_that_are_switched_off(world: LabelStudios) -> None:
    target = world.target(key=LEGACY_TOKEN)
    target.check_access()
    world.server.call("POST", "/api/jwt/settings", {"api_tokens_enabled": True, "legacy_api_tokens_enabled": False})
    try:
        error = caught(lambda: target.create(job_of("a~1")))
    finally:
        personal = LabelStudio(world.server.url, world.key)
        body = b'{"api_tokens_enabled": true, "legacy_api_tokens_enabled": true}'
        assert personal._exchange("POST", "/api/jwt/settings", body, 60, 2**20).status in {200, 201}
        personal.close()
    assert isinstance(error, AccessRefused)
    assert LEGACY_TOKEN not in str(error)
    target.create(job_of("a~1"))
    target.close()


def test_a_project_that_is_gone_blocks(world: LabelStudios, target: LabelStudioTarget) -> None:
    target.check_access()
    world.server.call("DELETE", f"/api/projects/{world.projects.image}")
    for call in (
        lambda: target.create(job_of("a~1")),
        lambda: target.find([lookup_of(job_of("a~1"))], yes),
        target.check_access,
    ):
        error = caught(call)
        assert isinstance(error, AccessRefused)
        assert "LABEL_STUDIO_IMAGE_PROJECT" in str(error)
    target.create(job_of("s~1", 2))  # the other is there


def test_a_wrong_path_is_told_as_a_wrong_address(label_studio: Server) -> None:
    elsewhere = LabelStudio(f"{label_studio.url}/nowhere", LEGACY_TOKEN)
    error = caught(lambda: elsewhere.project(1))
    elsewhere.close()
    assert isinstance(error, AccessRefused)
    assert "LABEL_STUDIO_URL" in str(error)


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"data": {"reference_id": "a~1"}}, '"image" key is expected'),
        ({"data": {"image": 5, "reference_id": "a~1"}}, "is of type"),
        ({"data": None}, "null"),
        ({"data": {}}, "key is expected"),
    ],
)
def test_a_task_that_does_not_fit_is_refused_for_good(
    world: LabelStudios, client: LabelStudio, changed: dict[str, Any], word: str
) -> None:
    body = json.dumps({"project": world.projects.image, **changed}).encode()
    reply = client._exchange("POST", "/api/tasks", body, 60, 2**20)
    answer = json.loads(reply.body)
    assert (reply.status, isinstance(answer["id"], str)) == (400, True)  # an id, and not of a task
    assert word in str(answer["validation_errors"])
    if isinstance(changed["data"], dict):
        sent = {"project": world.projects.image, "data": {"reference_id": "a~1", **changed["data"]}}
        error = caught(lambda: client.create_task(sent))
        assert (type(error), error.code) == (Refused, "http-400")
    assert world.references() == []


def test_malformed_json_is_refused(client: LabelStudio) -> None:
    reply = client._exchange("POST", "/api/tasks", b"{nope", 60, 2**20)
    assert (reply.status, "JSON parse error" in reply.body.decode()) == (400, True)


def test_a_senseless_question_is_our_defect_and_no_outage(world: LabelStudios, client: LabelStudio) -> None:
    project = world.projects.image
    wrong = {**queries.by_reference(["a"]), "filter": "filter:tasks:meta.reference_id"}
    for address in (queries.address(project, [wrong], 10), f"/api/tasks?project={project}&query=%7Bbad"):
        assert world.server.raw("GET", address).status_code == 500
        error = caught(partial(client.tasks, address, project))
        assert (type(error), error.code) == (Refused, QUERY)


def test_a_token_that_cannot_be_sent() -> None:
    with pytest.raises(SettingsError) as raised:
        LabelStudio("http://127.0.0.1:9", "schlüssel")
    assert "schlüssel" not in str(raised.value)


@pytest.mark.parametrize("token", [LEGACY_TOKEN, "header-part.claims-part.signature"])
def test_a_token_that_an_answer_repeats_is_never_told_however_often_it_was_renewed(token: str) -> None:
    body = json.dumps({"id": "47f6ac64", "detail": f"you sent {token} and Bearer-19-and-more"}).encode()
    with Scripted(sends(http(400, body))) as server:
        client = LabelStudio(server.url, token)
        for number in range(20):
            client._carry(client._entries[-1][1], f"Bearer Bearer-{number}-and-more")
        client.use_token("another-token-of-ours")
        error = caught(lambda: client.project(1))
        client.close()
    assert "you sent [the key] and [the key]" in str(error)


# ---------------------------------------------------------------- what makes a task, and what does not


def test_what_is_no_201_made_nothing_that_is_known(world: LabelStudios) -> None:
    made = {"id": 5, "project": world.projects.image, "data": {"reference_id": "a~1", "image": "x"}}
    for answer in (
        http(200, json.dumps(made).encode()),
        http(201, json.dumps({**made, "id": "47f6ac64-c0b2-4557-94c5-ff8f6fbf8195"}).encode()),
        http(201, b"{}"),
        http(201, b"<html>"),
        http(302, b"", {"Location": "http://h/"}),
    ):
        with Scripted(sends(answer)) as server:
            client = LabelStudio(server.url, LEGACY_TOKEN)
            sent = {"project": world.projects.image, "data": made["data"]}
            error = caught(partial(client.create_task, sent))
            client.close()
            assert isinstance(error, AccessRefused if b" 302 " in answer else TryLater)
            assert not getattr(error, "refused", False)
            assert server.connections == 1


def test_a_job_too_large_for_what_is_before_the_server() -> None:
    with Scripted(sends(http(413, b"<html>"))) as server:
        client = LabelStudio(server.url, LEGACY_TOKEN)
        error = caught(lambda: client.create_task({"project": 1, "data": {"frame_ids": ["a"], "reference_id": "r"}}))
        assert isinstance(error, Refused)
        assert "1 frames" in str(error)
        asked = len(server.heads)
        data = {"frame_ids": ["a"], "frames": ["x" * 2**24], "reference_id": "r"}
        error = caught(lambda: client.create_task({"project": 1, "data": data}))
        assert (type(error), len(server.heads)) == (Refused, asked)
        client.close()


@pytest.mark.parametrize("content", [b"x" * 19 * 2**20, b'"parts": [' + b"0," * 5_000_000], ids=["bytes", "parts"])
def test_a_task_with_too_much_in_it_is_its_own_trouble_and_no_outage(content: bytes) -> None:
    with Scripted(sends(http(200, b'{"id": 5, "annotations": [' + content))) as server:
        client = LabelStudio(server.url, LEGACY_TOKEN)
        error = caught(lambda: client.task(5))
        client.close()
    assert (type(error), error.code) == (Refused, "result")
    assert "task 5 is larger than" in str(error)


def test_a_long_sequence_is_made_found_and_read(world: LabelStudios, target: LabelStudioTarget) -> None:
    job = job_of("s~1", 50_000)
    ids = [target.create(job) for _ in range(2)]
    found = target.find([lookup_of(job)], yes)
    assert found is not None
    assert (found["s~1"].job_id, found["s~1"].frame_count) == (ids[0], 50_000)
    twins = target.twins(["s~1"], yes)
    assert twins is not None
    assert twins["s~1"].removed == (ids[1],)
    assert caught(lambda: target.result(ids[0], ask)).code == "result"


# ---------------------------------------------------------------- labelling configurations


def test_the_keys_are_the_projects_own(world: LabelStudios, target: LabelStudioTarget) -> None:
    configure(world, world.projects.image, IMAGE_CONFIG.replace("$image", "$photo"))
    target.create(job_of("a~1"))
    [task] = world.server.tasks(world.projects.image)
    assert task["data"] == {"photo": "http://h/d/frame_1.jpg", "reference_id": "a~1"}


def test_a_configuration_that_is_changed_while_we_run(world: LabelStudios, target: LabelStudioTarget) -> None:
    target.check_access()
    configure(world, world.projects.image, IMAGE_CONFIG.replace("$image", "$photo"))
    error = caught(lambda: target.create(job_of("a~1")))
    assert isinstance(error, TryLater)
    assert (error.refused, error.is_outage) == (True, False)
    target.create(job_of("a~1"))
    assert world.references() == ["a~1"]


@pytest.mark.parametrize(
    "config",
    [
        IMAGE_CONFIG.replace("<Image", '<Text name="t" value="$text"/><Image'),
        '<View><Text name="t" value="$text"/><Choices name="c" toName="t"><Choice value="a"/></Choices></View>',
    ],
)
def test_a_configuration_that_fits_no_job_blocks(world: LabelStudios, target: LabelStudioTarget, config: str) -> None:
    configure(world, world.projects.image, config)
    for call in (target.check_access, lambda: target.create(job_of("a~1"))):
        error = caught(call)
        assert (type(error), error.code) == (AccessRefused, UNFIT)
        assert f"project {world.projects.image}" in str(error)
    assert world.references() == []


def test_a_sequence_needs_a_list(world: LabelStudios) -> None:
    client = LabelStudio(world.server.url, world.key)
    target = LabelStudioTarget(client, Projects(world.projects.image, world.projects.image))
    for call in (target.check_access, lambda: target.create(job_of("s~1", 2))):
        assert caught(call).code == UNFIT
    client.close()


def test_one_project_for_both(world: LabelStudios) -> None:
    both = Projects(world.projects.sequence, world.projects.sequence)
    client = LabelStudio(world.server.url, world.key)
    target = LabelStudioTarget(client, both)
    target.check_access()
    jobs = [job_of("a~1"), job_of("s~1", 3)]
    ids = {job.reference_id: target.create(job) for job in jobs}
    found = target.find([lookup_of(job) for job in jobs], yes)
    client.close()
    assert found is not None
    assert {key: (each.job_id, each.frame_count) for key, each in found.items()} == {
        "a~1": (ids["a~1"], 1),
        "s~1": (ids["s~1"], 3),
    }


def test_projects_that_are_there_are_found_and_none_is_made_twice(world: LabelStudios, client: LabelStudio) -> None:
    title = f"Bürß & {world.projects.image}"
    with Cutting(world.server.port) as proxy:
        cut = LabelStudio(proxy.url, LEGACY_TOKEN)
        proxy.rate, proxy.methods = 1.0, ("POST",)
        assert isinstance(caught(lambda: make(cut, title)), TryLater)  # made, and its answer lost
        cut.close()
    projects, there = make(client, title)
    assert there == [projects.image]
    assert make(client, title) == (projects, [*projects])
    configure(world, projects.image, SEQUENCE_CONFIG.replace("$frames", "$pages"))  # takes images, too
    configure(world, projects.sequence, IMAGE_CONFIG)  # takes no sequences any more
    again, there = make(client, title)
    assert (again.image, there) == (projects.image, [projects.image])
    assert again.sequence > projects.sequence
    assert make(client, title[:-1] + "x")[1] == []


# ---------------------------------------------------------------- the proof that what is there is found


def test_nothing_is_sent_where_a_task_is_not_found(world: LabelStudios, target: LabelStudioTarget) -> None:
    posts = len([each for each in world.proxy.requests if each[0] == "POST"])
    with pytest.MonkeyPatch.context() as patch:  # a server that knows no key 'reference_id', as one with another has it
        patch.setattr(queries, "REFERENCE_ID", "referenceid")
        for call in (target.check_access, lambda: target.create(job_of("a~1"))):
            error = caught(call)
            assert (type(error), error.code) == (AccessRefused, FILTER)
    made = [path for method, path in world.proxy.requests if method == "POST"][posts:]
    assert made.count("/api/tasks") == 2  # the trials, and no job
    assert world.references() == []
    target.create(job_of("a~1"))


def test_a_filter_that_passes_others_is_seen(world: LabelStudios, target: LabelStudioTarget) -> None:
    for reference_id in ("a~1", "b~2"):
        target.create(job_of(reference_id))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queries, "by_reference", lambda _ids: queries.after(0))
        error = caught(lambda: target.find([lookup_of(job_of("a~1"))], yes))
        assert (type(error), error.code) == (AccessRefused, FILTER)
        error = caught(lambda: target.twins(["a~1"], yes))
        assert (type(error), error.code) == (AccessRefused, FILTER)
    assert world.references() == ["a~1", "b~2"]


def test_a_try_goes_on_with_the_proof_as_long_as_something_is_told(world: LabelStudios, proxy: Cutting) -> None:
    target = world.target(key=LEGACY_TOKEN)
    facts = []
    for methods in (("GET",), ("POST",)):
        proxy.rate, proxy.methods = 1.0, methods
        error = caught(lambda: target.create(job_of("a~1")))
        assert isinstance(error, TryLater)
        facts.append((error.refused, error.is_outage))
    target.close()
    assert facts == [(True, True), (False, True)]  # nothing is told; the trial is found, and then the job is sent
    assert "a~1" in world.references()


def test_a_trial_whose_answer_was_lost_is_found_and_removed_by_the_next(world: LabelStudios, proxy: Cutting) -> None:
    client = LabelStudio(proxy.url, LEGACY_TOKEN)
    keys = keys_of(SEQUENCE_CONFIG)
    proof = Proof(client, world.projects.sequence)
    proxy.rate, proxy.methods = 1.0, ("POST",)
    assert isinstance(caught(lambda: proof.prove(keys)), TryLater)
    [trial] = world.references()
    assert is_trial(trial)
    proof.tidy()
    proof.prove(keys)  # without another POST
    assert world.references() == [trial]
    proxy.rate = 0.0
    proof.tidy()
    assert world.references() == []
    left = f"playment-agent-check~{10**9}~{'0' * 16}"  # of a process that died long ago
    client.create_task({"project": world.projects.image, "data": {"image": "x", "reference_id": left}})
    client.create_task({"project": world.projects.image, "data": {"image": "x", "reference_id": "a~1"}})
    proof = Proof(client, world.projects.image)
    proof.prove(keys_of(IMAGE_CONFIG))
    proof.tidy()
    client.close()
    assert world.references() == ["a~1"]


def test_a_trial_that_arrives_late_is_removed_once_its_request_must_be_over(
    world: LabelStudios, proxy: Cutting
) -> None:
    project, clock = world.projects.image, Clock()
    client = LabelStudio(proxy.url, LEGACY_TOKEN)
    proof = Proof(client, project, clock.monotonic)
    proxy.rate, proxy.methods = 1.0, ("POST",)
    assert isinstance(caught(lambda: proof.prove(keys_of(IMAGE_CONFIG))), TryLater)
    [trial] = world.references()
    proof.prove(keys_of(IMAGE_CONFIG))
    proof.tidy()
    proxy.rate = 0.0
    client.create_task({"project": project, "data": {"image": "x", "reference_id": trial}})
    proof.tidy()
    assert world.references() == [trial]
    clock.advance(2 * client.post_seconds)
    proof.tidy()
    assert world.references() == []
    proxy.requests.clear()
    proof.tidy()
    assert not proxy.requests, "nothing can be left by now"
    left = f"playment-agent-check~{10**9}~{'0' * 16}"  # of a process that was killed
    client.create_task({"project": project, "data": {"image": "x", "reference_id": left}})
    clock.advance(3600.0)
    proof.tidy()
    client.close()
    assert world.references() == []


def test_a_proof_keeps_what_it_has_got_through_where_most_answers_are_lost(world: LabelStudios, proxy: Cutting) -> None:
    target = world.target()

    def is_sent() -> bool:
        try:
            target.create(job_of("a~1"))
        except TryLater as error:
            return not error.refused  # else nothing was sent but what goes before
        return True

    proxy.rate = 0.6
    tries = next(number for number in range(1, 200) if is_sent())
    proxy.rate = 0.0
    target.check_access()
    target.close()
    assert tries < 20, "six requests in a row go well once in 240 times"
    assert world.references() == ["a~1"]


# ---------------------------------------------------------------- twins, skipped tasks, results


def test_twins_with_work_in_them_are_never_removed(world: LabelStudios, target: LabelStudioTarget) -> None:
    ids = [target.create(job_of("a~1")) for _ in range(4)]
    call = world.server.call
    call("POST", f"/api/tasks/{ids[1]}/drafts", {"result": [BOX], "lead_time": 1})
    call("POST", f"/api/tasks/{ids[2]}/annotations", {"result": [BOX]})
    [listed] = [task for task in world.server.tasks(world.projects.image) if task["id"] == int(ids[1])]
    assert listed["drafts"] == []  # which is why each is looked at by itself
    twins = target.twins(["a~1"], yes)
    assert twins is not None
    assert twins["a~1"].kept.job_id == ids[1]
    assert (twins["a~1"].removed, twins["a~1"].left) == ((ids[0], ids[3]), (ids[2],))
    assert world.references() == ["a~1", "a~1"]


def test_what_holds_other_frames_is_no_twin(world: LabelStudios, target: LabelStudioTarget) -> None:
    first, second = target.create(job_of("s~1", 3)), target.create(job_of("s~1", 4))
    twins = target.twins(["s~1"], yes)
    assert twins is not None
    assert (twins["s~1"].kept.job_id, twins["s~1"].left) == (first, (second,))
    found = target.find([lookup_of(job_of("s~1", 4))], yes)
    assert found is not None
    assert found["s~1"].job_id == second  # the one that fits goes before the oldest


def test_what_shows_other_files_is_no_twin_and_a_signature_makes_no_other(
    world: LabelStudios, target: LabelStudioTarget
) -> None:
    def with_source(source: str) -> Job:
        job = job_of("a~1")
        return replace(job, frames=tuple(each._replace(src=source) for each in job.frames))

    sources = ("https://h/a.jpg?signature=1", "https://h/a.jpg?signature=2", "https://other-host/a.jpg")
    first, second, third = (target.create(with_source(source)) for source in sources)
    twins = target.twins(["a~1"], yes)
    assert twins is not None
    assert (twins["a~1"].kept.job_id, twins["a~1"].removed, twins["a~1"].left) == (first, (second,), (third,))
    configure(world, world.projects.image, IMAGE_CONFIG.replace("$image", "$photo"))
    world.server.call("DELETE", f"/api/tasks/{third}")
    assert isinstance(caught(lambda: target.create(with_source(sources[1]))), TryLater)  # the configuration is read
    again = target.create(with_source(sources[1]))
    twins = target.twins(["a~1"], yes)
    assert twins is not None
    assert (twins["a~1"].kept.job_id, twins["a~1"].removed) == (first, (again,))


def test_a_skipped_task_is_told_and_not_completed(world: LabelStudios, target: LabelStudioTarget) -> None:
    jobs = [SentJob(each, target.create(job_of(each))) for each in ("a~1", "b~2")]
    world.server.call("POST", f"/api/tasks/{jobs[0].job_id}/annotations", {"result": [], "was_cancelled": True})
    sent = Sent(*jobs)
    assert [job for some in target.skipped(sent, ask) for job in some] == [jobs[0]]
    assert [job for some in target.completed(sent, ask) for job in some] == []
    assert caught(lambda: target.result(jobs[0].job_id, ask)).code == "result"
    world.complete(jobs[0].job_id, BOX)  # somebody else does it after all
    assert [job for some in target.skipped(sent, ask) for job in some] == []
    assert [job for some in target.completed(sent, ask) for job in some] == [jobs[0]]


def test_a_box_on_page_ten_is_of_frame_ten(world: LabelStudios, target: LabelStudioTarget) -> None:
    job_id = target.create(job_of("s~1", 24))
    world.complete(job_id, {**BOX, "item_index": 9})
    written = io.BytesIO()
    target.result(job_id, ask)(written)
    [annotation] = json.loads(written.getvalue())["annotations"]
    [region] = annotation["result"]
    assert (region["item_index"], region["frame_id"]) == (9, "frame_10.jpg")


def test_completed_tasks_are_asked_for_since_the_last_time(world: LabelStudios, target: LabelStudioTarget) -> None:
    job = SentJob("a~1", target.create(job_of("a~1")))
    assert [each for some in target.completed(Sent(), ask) for each in some] == []
    world.complete(job.job_id, BOX)
    for expected in ("1970-01-01T00%3A00%3A00.000000Z", "20"):
        world.proxy.requests.clear()
        assert [each for some in target.completed(Sent(job), ask) for each in some] == [job]
        [first, *_] = [path for _, path in world.proxy.requests if path.startswith("/api/tasks?")]
        assert f"%22value%22%3A%20%22{expected}" in first


def test_a_project_that_cannot_be_asked_holds_up_no_other(
    world: LabelStudios, target: LabelStudioTarget, caplog: pytest.LogCaptureFixture
) -> None:
    job = SentJob("s~1", target.create(job_of("s~1", 2)))
    world.complete(job.job_id, BOX)
    world.server.call("DELETE", f"/api/projects/{world.projects.image}")
    with caplog.at_level(logging.WARNING):
        assert [each for some in target.completed(Sent(job), ask) for each in some] == [job]
    assert "cannot be asked" in caplog.text


def test_a_refused_token_ends_the_round(world: LabelStudios, target: LabelStudioTarget) -> None:
    job = SentJob("a~1", target.create(job_of("a~1")))
    target.use_key("0" * 40)
    for call in (target.completed, target.skipped):
        assert isinstance(caught(partial(list, call(Sent(job), ask))), AccessRefused)


def test_more_tasks_than_a_page_holds(world: LabelStudios, target: LabelStudioTarget) -> None:
    project = world.projects.image
    rows = [{"data": {"image": "x", "reference_id": f"r~{n}"}} for n in range(230)]
    rows += [{"data": {"image": "x"}} for _ in range(20)]  # somebody else's
    world.server.call("POST", f"/api/projects/{project}/import", rows)
    listed = [each.reference_id for _, some in target.listed() for each in some]
    assert listed == [f"r~{n}" for n in range(230)]
    found = target.find([lookup_of(job_of(f"r~{n}")) for n in range(300)], yes)
    assert found is not None
    assert set(found) == set(listed)
