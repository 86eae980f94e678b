"""What every target must do, asked of each alike: of Playment's sandbox, and of a real Label Studio."""

from __future__ import annotations

import contextlib
import io
import json
import random
import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from agent.errors import AccessRefused, DuplicateReference, RemoteError, TryLater
from agent.model.jobs import SentJob
from agent.sandbox import Sandbox
from tests.cutting import BAD_GATEWAY, CUT, Cutting
from tests.support import KEY
from tests.targets import LabelStudios, Playments, Sent, ask, job_of, lookup_of, yes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.targets import Target
    from tests.targets import World

pytestmark = pytest.mark.timeout(900)  # whoever comes first installs the server

HOSTILE = ["0012~x", "12~x", "1e3", "100%_x", "it's", 'say "x"', "Größe/Bild", "a\\b", "true", "a,b;c", "A~x", "a~x"]


@pytest.fixture(params=["playment", "label-studio"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with contextlib.ExitStack() as stack:
        if request.param == "playment":
            sandbox = stack.enter_context(Sandbox(rng=random.Random(1), api_key=KEY))
            port = int(sandbox.url.rpartition(":")[2])
            yield Playments(sandbox, stack.enter_context(Cutting(port)))
        else:
            server = request.getfixturevalue("label_studio")
            yield LabelStudios(server, stack.enter_context(Cutting(server.port)))


@pytest.fixture
def target(world: World) -> Iterator[Target]:
    with contextlib.closing(world.target()) as given:
        yield given


def caught(world: World, call: Callable[[], object]) -> RemoteError:
    """Return the error that `call` raises, after looking for the key in all that hangs on it."""
    with pytest.raises(RemoteError) as raised:
        call()
    cause: BaseException | None = raised.value
    while cause is not None:
        assert world.key not in str(cause) + repr(vars(cause))
        cause = cause.__cause__ or cause.__context__
    return raised.value


def test_access_is_checked_and_nothing_is_left(world: World, target: Target) -> None:
    project = target.check_access()
    assert project.names
    assert all(project.names)
    assert not project.batches or any(batch.is_default for batch in project.batches)
    assert world.references() == []


def test_what_was_made_is_found_and_listed(world: World, target: Target) -> None:
    image, sequence = job_of("a/b.jpg~1"), job_of("a/c~2", 24)
    ids = {job.reference_id: target.create(job) for job in (image, sequence)}
    found = target.find([lookup_of(image), lookup_of(sequence), lookup_of(job_of("not/there~3"))], yes)
    assert found is not None
    assert {reference_id: each.job_id for reference_id, each in found.items()} == ids
    assert found["a/c~2"].frame_count == 24
    assert found["a/b.jpg~1"].frame_count in {None, 0, 1}
    listed = {each.reference_id: each.job_id for _, some in target.listed() for each in some}
    assert listed == ids
    assert world.references() == sorted(ids)


def test_ids_are_found_exactly(world: World, target: Target) -> None:
    jobs = [job_of(reference_id) for reference_id in HOSTILE]
    ids = {job.reference_id: target.create(job) for job in jobs[::2]}
    found = target.find([lookup_of(job) for job in jobs], yes)
    assert found is not None
    assert {reference_id: each.job_id for reference_id, each in found.items()} == ids


def test_nobody_is_asked_who_may_not_go(world: World, target: Target) -> None:
    target.create(job_of("a~1"))
    world_requests = len(world.proxy.requests)
    assert target.find([lookup_of(job_of("a~1"))], lambda: False) is None
    assert list(target.listed(lambda: False)) == []
    assert len(world.proxy.requests) == world_requests


def test_a_second_job_of_one_id_is_refused_or_removed(world: World, target: Target) -> None:
    first = target.create(job_of("a~1"))
    if target.refuses_duplicates:
        assert isinstance(caught(world, lambda: target.create(job_of("a~1"))), DuplicateReference)
        assert target.twins(["a~1"], yes) == {}
    else:
        second = target.create(job_of("a~1"))
        assert target.twins(["a~1", "b~2"], lambda: False) is None
        twins = target.twins(["a~1", "b~2"], yes)
        assert twins is not None
        assert (list(twins), twins["a~1"].kept.job_id, twins["a~1"].removed) == (["a~1"], first, (second,))
        again = target.twins(["a~1"], yes)
        assert again is not None
        assert again["a~1"].removed == ()
    found = target.find([lookup_of(job_of("a~1"))], yes)
    assert found is not None
    assert found["a~1"].job_id == first
    assert world.references() == ["a~1"]


def test_a_job_that_may_be_there_is_looked_for_before_it_is_sent(world: World, target: Target) -> None:
    job = replace(job_of("a~1"), may_be_there=True)
    target.create(job)
    assert isinstance(caught(world, lambda: target.create(job)), DuplicateReference)
    assert world.references() == ["a~1"]
    world.proxy.kind, world.proxy.rate = BAD_GATEWAY, 1.0
    error = caught(world, lambda: target.create(replace(job_of("b~2"), may_be_there=True)))
    assert isinstance(error, TryLater)
    assert error.refused or target.refuses_duplicates, "the look has failed, and nothing was sent"


def test_a_wrong_key_is_refused_everywhere_and_another_is_taken(world: World) -> None:
    for key in world.wrong_keys:
        with contextlib.closing(world.target(key=key)) as target:
            for call in (
                target.check_access,
                lambda target=target: target.create(job_of("a~1")),
                lambda target=target: target.find([lookup_of(job_of("a~1"))], yes),
                lambda target=target: list(target.listed()),
            ):
                error = caught(world, call)
                assert isinstance(error, AccessRefused)
                assert key not in str(error)
            target.use_key(world.key)
            target.check_access()
    assert world.references() == []


def test_a_project_that_is_not_there_blocks(world: World) -> None:
    if isinstance(world, Playments):
        pytest.skip("the sandbox has every project that it is asked for")
    with contextlib.closing(world.target(project="another")) as target:
        for call in (target.check_access, lambda: target.create(job_of("a~1")), lambda: list(target.listed())):
            assert isinstance(caught(world, call), AccessRefused)


def test_nobody_listens(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with contextlib.closing(world.target(url=f"http://127.0.0.1:{port}")) as target:
        error = caught(world, lambda: target.create(job_of("a~1")))
        assert isinstance(error, TryLater)
        assert (error.refused, error.is_outage, target.is_outage(error.code)) == (True, True, True)


@pytest.mark.parametrize("kind", [CUT, BAD_GATEWAY])
def test_a_lost_answer_leaves_the_outcome_open_and_the_job_is_found(world: World, target: Target, kind: str) -> None:
    target.check_access()
    world.proxy.kind, world.proxy.rate = kind, 1.0
    error = caught(world, lambda: target.create(job_of("a~1", 3)))
    assert isinstance(error, TryLater)
    assert (error.refused, error.is_outage, target.is_outage(error.code)) == (False, True, True)
    error = caught(world, lambda: target.find([lookup_of(job_of("a~1", 3))], yes))
    assert isinstance(error, TryLater)
    world.proxy.rate = 0.0
    found = target.find([lookup_of(job_of("a~1", 3))], yes)
    assert found is not None
    assert found["a~1"].frame_count == 3
    assert world.references() == ["a~1"]


def test_what_is_completed_is_told_and_its_result_fetched(world: World, target: Target) -> None:
    jobs = [SentJob(job.reference_id, target.create(job)) for job in (job_of("a~1"), job_of("b~2"), job_of("c~3", 12))]
    sent = Sent(*jobs)
    assert [job for some in target.completed(sent, ask) for job in some] == []
    error = caught(world, lambda: target.result(jobs[2].job_id, ask))
    assert isinstance(error, TryLater)
    assert error.code == "result"
    world.complete(jobs[0].job_id, {"from_name": "label", "to_name": "image", "type": "rectanglelabels", "value": {}})
    world.complete(jobs[2].job_id, {"from_name": "label", "to_name": "image", "type": "rectanglelabels", "value": {}})
    for _ in range(2):  # what is told and not written is told again
        assert {job for some in target.completed(sent, ask) for job in some} == {jobs[0], jobs[2]}
    assert [job for some in target.completed(Sent(jobs[1]), ask) for job in some] == []
    assert [job for some in target.skipped(sent, ask) for job in some] == []
    written = io.BytesIO()
    target.result(jobs[2].job_id, ask)(written)
    assert "rectanglelabels" in json.dumps(json.loads(written.getvalue()))


def test_the_servers_clock(target: Target) -> None:
    told = target.server_time()
    assert told is not None
    assert abs(told - time.time()) < 60
