"""The vendor's own SDK against the sandbox: what it does and expects, the sandbox must do too."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import playment as sdk
import playment.client_handler
import pytest

from agent.model import Edition
from agent.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

VENDOR = "https://api.playment.io"
VENDOR_JOBS = "https://api.playment.in"  # where SDK 1.0.5 posts jobs


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Sandbox(rng=random.Random(2), api_key="k", project_id="p", page_size=2) as running:
        urls: Any = playment.client_handler.urls
        pointed = {
            name: url.replace(VENDOR_JOBS, running.url).replace(VENDOR, running.url)
            for name, url in urls._asdict().items()
        }
        assert all(url.startswith(running.url) for url in pointed.values())
        monkeypatch.setattr(playment.client_handler, "urls", urls._replace(**pointed))
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Any:
    return sdk.Client("k")


def create_job(client: Any, reference_id: str, batch_id: str | None = None) -> Any:
    image = sdk.ImageData(image_url="https://example.com/a.jpg")
    return client.create_job(reference_id, "boxes", image, project_id="p", batch_id=batch_id)


def test_it_creates_a_batch_and_a_job(sandbox: Sandbox, client: Any) -> None:
    batch = client.create_batch("day 1", "day 1", "the first", project_id="p")
    created = create_job(client, "r1", batch.id)
    [job] = sandbox.jobs
    assert (job.job_id, job.batch_id, job.reference_id) == (created.id, batch.id, "r1")
    assert (job.edition, job.tag, job.priority_weight, job.frames) == (Edition.V0, "boxes", 5, 1)


def test_it_is_refused_a_second_batch_and_a_second_job(sandbox: Sandbox, client: Any) -> None:
    client.create_batch("day 1", "day 1", "the first", project_id="p")
    with pytest.raises(sdk.PlaymentException) as caught:
        client.create_batch("day 1", "day 1", "again", project_id="p")
    assert caught.value.code == "BATCH_CREATION"
    create_job(client, "r1")
    with pytest.raises(sdk.PlaymentException) as caught:
        create_job(client, "r1")
    assert caught.value.code == "FS_0001"
    assert len(sandbox.jobs) == 1


def test_it_reads_what_was_made(sandbox: Sandbox, client: Any) -> None:
    batch = client.create_batch("day 1", "day 1", "the first", project_id="p")
    ids = [create_job(client, f"r{number}", batch.id).id for number in range(3)]
    sandbox.complete(ids[0], {"boxes": []})

    result = client.get_job_result("p", ids[0])
    assert (result.status, result.reference_id, result.batch_id, result.tag) == ("completed", "r0", batch.id, "boxes")
    assert result.result.startswith(sandbox.url)
    assert client.get_job_result("p", ids[1]).result is None

    first = client.get_batch_summary(batch.id, "p")
    second = client.get_batch_summary(batch.id, "p", first.next_page_token)
    assert [job.id for job in first.jobs + second.jobs] == ids
    assert (first.name, first.jobs[0].status, second.next_page_token) == ("day 1", "completed", "")

    batches = client.get_project_batches_summary("p").batches
    assert [(one.name, one.is_default, one.total_jobs, one.completed_jobs) for one in batches] == [
        ("Default", True, 0, 0),
        ("day 1", False, 3, 1),
    ]


@pytest.mark.parametrize(
    ("key", "project", "code"), [("wrong", "p", "unauthorized_request"), ("k", "q", "resource_error")]
)
def test_it_is_told_of_a_wrong_key_and_a_wrong_project(sandbox: Sandbox, key: str, project: str, code: str) -> None:
    with pytest.raises(sdk.PlaymentException) as caught:
        sdk.Client(key).get_project_batches_summary(project)
    assert caught.value.code == code
