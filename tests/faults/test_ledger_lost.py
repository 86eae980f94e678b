"""The ledger is gone, or another agent sent the same: no second job, and nobody else's job is taken for ours."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import requests

from agent.core.reference_id import IdRules
from agent.model import Edition
from agent.model.jobs import Terms
from tests.sending import START, Clock, Sending, Server, refusal
from tests.soak import LONG
from tests.support import KEY, query

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

JOBS = 2000 if LONG else 1000
PAGES = JOBS // 100
HOUR = 3600.0


def _lose(sending: Sending) -> None:
    for file in sending.path.parent.glob("ledger.db*"):
        file.unlink()


def _by_day(clock: Clock) -> Callable[[str], str]:
    return lambda _path: (START + timedelta(seconds=clock.monotonic())).strftime("%Y-%m-%d")


@pytest.mark.parametrize("by_day", [False, True])
def test_every_job_is_recognised_and_adopted(tmp_path: Path, server: Server, clock: Clock, by_day: bool) -> None:
    options: dict[str, Any] = {"batch_name": _by_day(clock)} if by_day else {}
    with Sending(tmp_path, server.url, clock, **options) as sending:
        sending.drop_many(JOBS)
        sending.becomes(submitted=JOBS, seconds=50.0)
    _lose(sending)
    clock.advance(24 * HOUR)
    before = server.requests
    with Sending(tmp_path, server.url, clock, **options) as sending:
        sending.drop_many(JOBS)
        sending.becomes(submitted=JOBS, seconds=50.0)
    rows = query(sending.path, "select reference_id, job_id, batch_id from jobs")
    assert len(server.jobs) == JOBS
    assert {row["reference_id"]: row["job_id"] for row in rows} == {job.reference_id: job.job_id for job in server.jobs}
    assert {row["batch_id"] for row in rows} == {job.batch_id for job in server.jobs}
    made = server.requests - before
    assert made["batch_jobs"] <= PAGES + 5
    assert made["details"] <= 2


# Somebody else's job


def _theirs(server: Server, url: str, reference_id: str, tag: str = "boxes", frames: int = 0) -> None:
    """Have somebody else create a job with this id."""
    data: dict[str, Any] = {"image_url": "http://127.0.0.1:9/x.jpg"}
    if frames:
        data = {
            "video_data": {"frames": [{"frame_id": str(n), "src": f"http://127.0.0.1:9/{n}"} for n in range(frames)]}
        }
    body = {"reference_id": reference_id, "tag": tag, "data": data}
    answer = requests.post(f"{url}/v0/projects/p1/jobs", json=body, headers={"x-api-key": KEY}, timeout=10)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("reference_id", "tag", "frames", "told"),
    [
        ("a.jpg~ca978112ca1b", "cats", 0, "the tag 'cats'"),
        ("a.jpg~ca978112ca1b", "boxes", 7, "7 frames"),
    ],
)
def test_what_is_not_ours_waits_for_a_person(
    tmp_path: Path, server: Server, clock: Clock, reference_id: str, tag: str, frames: int, told: str
) -> None:
    _theirs(server, server.url, reference_id, tag, frames)
    with Sending(tmp_path, server.url, clock) as sending:
        sending.drop("a.jpg", b"a")
        sending.becomes(duplicate=1)
        sending.drop("b.jpg")
        sending.becomes(duplicate=1, submitted=1)
    row = sending.row("a.jpg")
    assert row["reference_id"] == reference_id
    assert told in row["reason"]
    assert row["job_id"] is None


def test_an_id_without_the_digest_proves_nothing(tmp_path: Path, server: Server, clock: Clock) -> None:
    _theirs(server, server.url, "a.jpg")
    with Sending(tmp_path, server.url, clock, rules=IdRules("{path}", "host1")) as sending:
        sending.drop("a.jpg", b"a")
        sending.becomes(duplicate=1)
    assert "{digest}" in sending.row("a.jpg")["reason"]


def test_a_job_that_no_list_shows_for_an_hour_is_a_duplicate(tmp_path: Path, server: Server, clock: Clock) -> None:
    _theirs(server, server.url, "a.jpg~ca978112ca1b")
    server._state.batches("p1")[0].jobs.clear()
    began = clock.monotonic()
    with Sending(tmp_path, server.url, clock) as sending:
        sending.drop("a.jpg", b"a")
        sending.passes_until(lambda: sending.states() == {"duplicate": 1}, step=60.0)
    assert clock.monotonic() - began >= HOUR
    assert server.requests["batch_jobs"] < 20
    assert "no batch's list" in sending.row("a.jpg")["reason"]


def test_two_agents_with_files_of_the_same_name_both_get_their_jobs(
    tmp_path: Path, server: Server, clock: Clock
) -> None:
    places = [tmp_path / "one", tmp_path / "two"]
    for place in places:
        place.mkdir()
    with Sending(places[0], server.url, clock) as one, Sending(places[1], server.url, clock) as two:
        one.drop("IMG_0001.jpg", b"one")
        two.drop("IMG_0001.jpg", b"two")
        one.becomes(submitted=1)
        two.becomes(submitted=1)
    assert len(server.jobs) == 2
    assert one.row("IMG_0001.jpg")["job_id"] != two.row("IMG_0001.jpg")["job_id"]


def test_a_batch_that_was_deleted_holds_up_no_other_lookup(tmp_path: Path, server: Server, clock: Clock) -> None:
    _theirs(server, server.url, "a.jpg~ca978112ca1b")
    gone = Terms(Edition.V0, "boxes", "8f14e45f-ceea-467f-9c3a-6c5f4a0a8a12", 5)

    with Sending(tmp_path, server.url, clock, terms=gone) as sending:
        server.answer = lambda _body: refusal(400, "FS_0001")
        sending.drop("a.jpg", b"a")
        sending.becomes(submitted=1)
    assert sending.row("a.jpg")["job_id"] == server.jobs[0].job_id
