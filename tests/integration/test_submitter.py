"""Sending, on a real ledger, real files and a real server; only the clock is the test's."""

from __future__ import annotations

import json
import logging
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from agent.core.retry import JOB
from agent.ledger import due, jobs, units
from agent.model import Edition, Kind
from agent.model.jobs import Terms
from agent.publishing import namer
from agent.publishing.base_url import BaseUrl
from agent.sandbox import Faults
from tests.sending import NO_LIMITS, TERMS, Clock, Sending, Server, refusal
from tests.support import KEY, eventually, query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.ledger.store import Ledger
    from agent.model import Job
    from agent.sandbox.server import Answer

FLOW = "5d1c2bd5-0e0f-4a4c-9a3a-6c5f4a0a8a11"
HOUR = 3600.0
GIVE_UP_ATTEMPTS = JOB.tries


@pytest.fixture
def sending(tmp_path: Path, server: Server, clock: Clock) -> Iterator[Sending]:
    with Sending(tmp_path, server.url, clock) as running:
        yield running


@pytest.fixture
def paused(tmp_path: Path, server: Server, clock: Clock) -> Iterator[Sending]:
    with Sending(tmp_path, server.url, clock, paused=True) as running:
        yield running


def _reference(body: dict[str, Any]) -> str:
    return str(body["reference_id"]).partition("~")[0]


# Bodies


@pytest.mark.parametrize(
    ("terms", "address", "named"),
    [
        (Terms(Edition.V0, "boxes", None, 10), "/v0/projects/p1/jobs", '"tag": "boxes"'),
        (Terms(Edition.V1, FLOW, None, 9), "/v1/projects/p1/jobs", f'"work_flow_id": "{FLOW}"'),
    ],
)
def test_the_bodies_are_the_vendors_to_the_byte(
    tmp_path: Path, server: Server, clock: Clock, terms: Terms, address: str, named: str
) -> None:
    with Sending(tmp_path, server.url, clock, terms=terms, workers=1) as sending:
        sending.drop("a b.jpg", b"one")
        sending.becomes(submitted=1)
        sending.drop_frames("drive", ["frame_10.jpg", "frame_2.jpg", "frame_02.jpg", "frame_1.jpg"])
        sending.becomes(submitted=2)
        image, frames = [call.request for call in server.posts()]
    assert (image.path, image.key) == (address, KEY)
    assert image.body.decode() == (
        f'{{"reference_id": "a b.jpg~7692c3ad3540", {named}, '
        f'"data": {{"image_url": "http://127.0.0.1:9/a%20b.jpg"}}, "priority_weight": {terms.priority_weight}}}'
    )
    listed = ", ".join(
        f'{{"frame_id": "{name}", "src": "http://127.0.0.1:9/drive/{name}"}}'
        for name in ("frame_1.jpg", "frame_02.jpg", "frame_2.jpg", "frame_10.jpg")
    )
    reference = sending.row("drive")["reference_id"]
    assert frames.body.decode() == (
        f'{{"reference_id": "{reference}", {named}, "data": {{"video_data": {{"frames": [{listed}]}}}}, '
        f'"priority_weight": {terms.priority_weight}}}'
    )


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("base", ["http://127.0.0.1:9/", "http://earlier:9/"])
def test_frames_are_sent_by_the_urls_of_the_settings_of_that_time(
    tmp_path: Path, server: Server, clock: Clock, base: str, restarted: bool
) -> None:
    """They have their URLs since they settled: an intent writes these only where the settings have changed since."""
    asked: list[str] = []
    with Sending(tmp_path, server.url, clock, name=namer(BaseUrl(base)), paused=True) as sending:
        sending.ledger.call(lambda ledger: ledger.sql.set_trace_callback(asked.append))
        sending.drop_frames("drive", ["a 1.jpg", "a 2.jpg"])
        if not restarted:
            sending.unpause()
            sending.becomes(submitted=1)
    with Sending(tmp_path, server.url, clock, paused=True) as sending:
        sending.ledger.call(lambda ledger: ledger.sql.set_trace_callback(asked.append))
        sending.unpause()
        sending.becomes(submitted=1)
        (post,) = server.posts()
        sent = [frame["src"] for frame in json.loads(post.request.body)["data"]["video_data"]["frames"]]
        wanted = "http://127.0.0.1:9/" if restarted else base  # the settings of a process stay as they are
        assert sent == [f"{wanted}drive/a%201.jpg", f"{wanted}drive/a%202.jpg"]
        assert [row["src"] for row in query(sending.path, "select src from frames order by position")] == sent
    assert any(sql.startswith("update frame_rows") for sql in asked) == (wanted != base)


@pytest.mark.parametrize("moved", [False, True])
def test_what_was_moved_since_it_was_read_is_not_intended_as_it_was(paused: Sending, moved: bool) -> None:
    """Its URLs would be those of a path where nothing is; also where REFERENCE_ID has no {path}, and stays the same."""

    def move(ledger: Ledger) -> list[Job]:
        (candidate,) = due.due(ledger.sql, paused.clock.now(), 1, (), TERMS, recent=ledger.recent)
        if moved:
            ledger.set(candidate.job.id, path="b.jpg")
        return jobs.intend(ledger, [candidate.job], NO_LIMITS)

    paused.drop("a.jpg")
    assert len(paused.ledger.call(move)) == (0 if moved else 1)


def test_a_batch_by_name_is_made_once_and_sent_with_the_job(tmp_path: Path, server: Server, clock: Clock) -> None:
    with Sending(tmp_path, server.url, clock, batch_name=lambda _path: "2026-03-01") as sending:
        sending.drop_many(20)
        sending.becomes(submitted=20)
    assert server.requests["create_batch"] == 1
    assert {job.body["batch_id"] for job in server.jobs} == {sending.row("00000.jpg")["batch_id"]}


# Passing failures


def test_a_429_holds_back_all_workers_for_as_long_as_it_said(sending: Sending, server: Server, clock: Clock) -> None:
    asked_at = clock.monotonic()
    refusals = iter([refusal(429, "rate_limit", {"Retry-After": "60"})])
    held = threading.Event()

    def answer(_body: dict[str, Any]) -> Answer | None:
        refused = next(refusals, None)
        if refused is None:
            held.wait(30.0)
        return refused

    server.answer = answer
    waiting: list[None] = []
    enter = sending.gate.enter

    def counted() -> bool:
        waiting.append(None)
        try:
            return enter()
        finally:
            waiting.pop()

    sending.gate.enter = counted  # type: ignore[method-assign]
    sending.drop_many(40)
    eventually(lambda: sending.gate.held_for() > 0)
    held.set()
    eventually(lambda: len(waiting) == 4)
    sending.advance(59.0)
    sending.drop("late.jpg")
    eventually(lambda: sending.submitter._in_flight.posting >= 4)
    sending.advance(1.0)
    sending.passes_until(lambda: sending.states() == {"submitted": 41}, step=5.0)
    times = [call.at for call in server.posts()]
    assert not [at for at in times if asked_at < at < asked_at + 60]
    assert times.count(asked_at) <= 4, "only what was on its way came sooner, one of each worker"


def test_a_429_holds_back_batches_and_lists_too(tmp_path: Path, server: Server, clock: Clock) -> None:
    with Sending(tmp_path, server.url, clock, batch_name=lambda path: f"of {path}") as sending:
        sending.gate.hold(60.0)
        sending.drop_many(5)
        until = clock.monotonic() + 60.0
        eventually(lambda: sending.submitter.in_flight() == 5)
        sending.advance(30.0)
        sending.drop("late.jpg")
        eventually(lambda: sending.submitter.in_flight() == 6)
        sending.advance(30.0)
        sending.becomes(submitted=6)
        assert [call.at for call in server.calls if call.at < until] == []


def test_an_endless_retry_after_breaks_nothing(sending: Sending, server: Server) -> None:
    server.answer = lambda _body: refusal(
        503, "busy", {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT", "Date": "Fri, 31 Dec 2025 23:59:59 GMT"}
    )
    sending.drop("a.jpg")
    eventually(lambda: sending.gate.held_for() > HOUR)
    server.answer = lambda _body: None
    sending.drop("b.jpg")
    sending.becomes(pending=1, submitting=1)
    sending.gate.stop()
    sending.becomes(pending=2)  # whoever waits is let go at once


def test_something_wrong_at_their_end_passes(sending: Sending, server: Server) -> None:
    server.faults = Faults(try_later=1.0)
    sending.drop("a.jpg")
    sending.passes_until(lambda: sending.row("a.jpg")["attempts"] >= 3)
    assert sending.row("a.jpg")["error_code"] == "FS_0000"
    server.faults = Faults()
    sending.passes_until(lambda: sending.states() == {"submitted": 1})


def test_after_an_outage_all_goes_at_once_and_in_order(tmp_path: Path, server: Server, clock: Clock) -> None:
    down = refusal(503, "x")
    server.answer = lambda _body: down
    with Sending(tmp_path, server.url, clock, workers=1) as sending:
        sending.drop_many(12)
        began = clock.monotonic()
        sending.passes_until(lambda: clock.monotonic() - began > HOUR, step=10.0)
        eventually(lambda: sending.states() == {"pending": 12})
        server.answer = lambda _body: None
        sending.passes_until(lambda: len(server.jobs) > 0, step=1.0)
        back = clock.monotonic()
        eventually(lambda: sending.states() == {"submitted": 12})
        assert clock.monotonic() == back, "the others did not wait for the end of their back-off"
    received = [job.reference_id for job in server.jobs]
    assert len(set(received)) == len(received) == 12
    claimed_ahead = 3  # by one worker, each when its own back-off had ended
    assert received[claimed_ahead:] == sorted(received[claimed_ahead:])


def test_a_file_that_cannot_be_fetched_is_tried_for_a_day(sending: Sending, server: Server, clock: Clock) -> None:
    server.faults = Faults(not_fetched=1.0)
    began = clock.now()
    sending.drop("a.jpg")
    sending.passes_until(lambda: sending.states() == {"failed": 1}, step=600.0, seconds=45.0)
    row = sending.row("a.jpg")
    assert row["error_code"] == "FS_0007"
    assert row["attempts"] > 100
    assert 24 * HOUR <= (clock.now() - began).total_seconds() < 25 * HOUR
    assert "24 hours" in row["reason"]


def test_an_hour_without_playment_costs_few_attempts_and_no_job(tmp_path: Path, clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    began = clock.monotonic()
    with Sending(tmp_path, url, clock) as sending:
        sending.drop_many(10)
        sending.passes_until(lambda: clock.monotonic() - began > HOUR / 2, step=10.0)
        before = query(sending.path, "select reference_id, attempts, next_attempt_at from jobs order by id")
    with Sending(tmp_path, url, clock) as sending:
        again = query(sending.path, "select reference_id, attempts, next_attempt_at from jobs order by id")
        kept = sum(row == now for row, now in zip(before, again, strict=True))
        assert kept >= 5, "the back-off is kept over a restart"
        sending.passes_until(lambda: clock.monotonic() - began > HOUR, step=10.0)
        attempts = [row["attempts"] for row in query(sending.path, "select attempts from jobs")]
        assert 60 <= sum(attempts) <= 130, "one job at a time is tried, and once a minute in the end"
        assert max(attempts) - min(attempts) <= 2, "they take turns"
        sending.becomes(pending=10)
        with Server(clock, port=port) as server:
            sending.passes_until(lambda: sending.states() == {"submitted": 10}, step=60.0)
            assert len(server.jobs) == 10


def test_waiting_costs_no_turns(paused: Sending) -> None:
    """While nothing can be sent, the dispatcher sleeps until it is woken."""
    turns = 0
    turn = paused.submitter.turn

    def counted() -> float:
        nonlocal turns
        turns += 1
        return turn()

    paused.submitter.turn = counted  # type: ignore[method-assign]
    paused.drop_many(20)
    eventually(lambda: turns >= 1)
    waits = [paused.submitter.turn() for _ in range(3)]
    assert min(waits) > 10


# Poisoned jobs


def test_a_refused_job_is_failed_alone(sending: Sending, server: Server) -> None:
    server.answer = lambda body: refusal(400, "FS_0003") if _reference(body) == "00003.jpg" else None
    sending.drop_many(30)
    sending.becomes(submitted=29, failed=1)
    row = sending.row("00003.jpg")
    assert (row["error_code"], row["attempts"]) == ("FS_0003", 1)


def test_a_job_that_never_works_is_given_up_while_others_go_through(sending: Sending, server: Server) -> None:
    server.answer = lambda body: refusal(500, "x") if _reference(body) == "bad.jpg" else None
    sending.drop("bad.jpg")
    count = 0

    def given_up() -> bool:
        nonlocal count
        row = sending.row("bad.jpg")
        if row["attempts"] > count and row["state"] == "pending":
            count = row["attempts"]
            sending.drop(f"good{count}.jpg")
            eventually(lambda: sending.row(f"good{count}.jpg")["state"] == "submitted")
        return bool(row["state"] == "failed")

    # Its last try may have made a job, so that it is looked for in the lists for an hour first.
    sending.passes_until(given_up, step=300.0, seconds=45.0)
    row = sending.row("bad.jpg")
    assert GIVE_UP_ATTEMPTS <= row["attempts"] <= GIVE_UP_ATTEMPTS + 15
    assert "HTTP 500" in row["reason"], "the reason names what Playment said"
    assert set(sending.states()) == {"failed", "submitted"}
    assert len(server.jobs) >= GIVE_UP_ATTEMPTS - 1


def test_nothing_is_given_up_in_an_outage(paused: Sending, server: Server) -> None:
    """Other jobs that were accepted before the outage say nothing of it."""
    paused.drop("a.jpg")
    paused.drop("b.jpg")
    down = refusal(500, "x")
    server.answer = lambda body: down if _reference(body) == "a.jpg" else None
    paused.unpause()
    paused.becomes(pending=1, submitted=1)
    server.answer = lambda _body: down
    paused.passes_until(lambda: paused.row("a.jpg")["attempts"] >= GIVE_UP_ATTEMPTS + 20, step=300.0)
    paused.drop("c.jpg")
    server.answer = lambda body: down if _reference(body) == "a.jpg" else None
    paused.passes_until(lambda: paused.row("c.jpg")["state"] == "submitted", step=300.0)
    tries = paused.row("a.jpg")["attempts"]
    paused.passes_until(lambda: paused.row("a.jpg")["attempts"] >= tries + 2, step=300.0)
    paused.becomes(pending=1, submitted=2)  # one more failure after the outage is no reason either
    server.answer = lambda _body: None
    paused.passes_until(lambda: paused.states() == {"submitted": 3}, step=300.0)


# The key


def test_a_revoked_key_stops_everything_and_loses_nothing(sending: Sending, server: Server) -> None:
    server.refuse_key(refused=True)
    sending.drop_many(200)
    eventually(lambda: sending.gate.blocked)
    eventually(lambda: sending.submitter.in_flight() == 0)
    assert sending.states() == {"pending": 200}
    assert server.requests["create_job"] <= 8, "one round of workers"
    assert server.requests["details"] == 1
    assert "key" in query(sending.path, "select value from agent where key = 'blocked'")[0]["value"]
    posts = server.requests["create_job"]
    sending.advance(60.0)
    eventually(lambda: server.requests["details"] == 2)
    server.refuse_key(refused=False)
    sending.advance(59.0)
    sending.drop("more.jpg")
    sending.advance(1.0)
    eventually(lambda: not sending.gate.blocked)
    sending.passes_until(lambda: sending.states() == {"submitted": 201}, step=60.0)
    assert query(sending.path, "select value from agent where key = 'blocked'")[0]["value"] == ""
    assert server.requests["details"] == 3
    assert server.requests["create_job"] == posts + 201


def test_a_refusal_of_one_job_is_its_own_where_the_project_lets_us_in(sending: Sending, server: Server) -> None:
    server.answer = lambda body: refusal(400, "resource_error") if _reference(body) == "00003.jpg" else None
    sending.drop_many(10)
    sending.becomes(submitted=9, failed=1)
    assert not sending.gate.blocked


def test_a_key_refused_in_the_lists_stops_everything_too(sending: Sending, server: Server) -> None:
    server.faults = Faults(lose_reply=1.0)
    sending.drop("a.jpg")
    eventually(lambda: server.jobs and sending.states() == {"pending": 1})
    server.faults = Faults()

    def duplicate_then_revoked(body: dict[str, Any]) -> Answer:
        server.refuse_key(refused=True)
        return refusal(400, "FS_0001")

    server.answer = duplicate_then_revoked
    sending.passes_until(lambda: sending.gate.blocked, step=5.0)
    server.answer = lambda _body: None
    server.refuse_key(refused=False)
    sending.passes_until(lambda: sending.states() == {"submitted": 1}, step=60.0)
    assert sending.row("a.jpg")["job_id"] == server.jobs[0].job_id


# Files that change under way


def _claimed(sending: Sending, name: str) -> None:
    """Bring a job to where its intent is written and its request waits at the gate."""
    sending.gate.hold(10.0)
    sending.drop(name)
    eventually(lambda: sending.row(name)["state"] == "submitting")


@pytest.mark.parametrize("overwritten", [True, False])
def test_a_file_that_changed_before_the_post_is_not_sent(sending: Sending, server: Server, overwritten: bool) -> None:
    _claimed(sending, "a.jpg")
    if overwritten:
        (sending.inbox / "a.jpg").write_bytes(b"other bytes")
    else:
        (sending.inbox / "a.jpg").unlink()
    sending.advance(10.0)
    sending.becomes(settling=1)
    row = sending.row("a.jpg")
    assert "a.jpg changed" in row["reason"]
    assert row["reference_id"] is None
    eventually(lambda: sending.changed == ["a.jpg"])
    assert server.posts() == []
    if overwritten:
        sending.drop("a.jpg", b"other bytes")
        sending.becomes(submitted=1)
    else:
        sending.ledger.call(lambda ledger: units.vanish(ledger, "a.jpg", Kind.IMAGE))
        sending.becomes(gone=1)


def test_a_frame_that_came_before_the_post_is_not_left_out(sending: Sending, server: Server) -> None:
    sending.gate.hold(10.0)
    sending.drop_frames("drive", ["f_1.jpg", "f_2.jpg"])
    eventually(lambda: sending.row("drive")["state"] == "submitting")
    (sending.inbox / "drive" / "f_3.jpg").write_bytes(b"late")
    sending.advance(10.0)
    sending.becomes(settling=1)
    assert "f_3.jpg changed" in sending.row("drive")["reason"]
    eventually(lambda: sending.changed == ["drive"])
    assert server.posts() == []


def test_a_file_that_changed_during_the_post_is_told_of(sending: Sending, server: Server) -> None:
    server.made = lambda _body: (sending.inbox / "a.jpg").unlink()
    sending.drop("a.jpg")
    sending.becomes(submitted=1)
    eventually(lambda: sending.changed == ["a.jpg"])


@pytest.mark.parametrize("made", [True, False])
def test_a_file_that_changed_before_the_20th_try(sending: Sending, server: Server, made: bool) -> None:
    """With an open attempt the job is looked for first: its bytes of then may have become a job."""
    server.faults = Faults(error_after=1.0) if made else Faults(error_before=1.0)
    server.answer = lambda _body: refusal(500, "x") if server.jobs else None
    sending.drop("a.jpg", b"first")
    sending.passes_until(
        lambda: sending.row("a.jpg")["attempts"] == 19 and sending.row("a.jpg")["state"] == "pending", step=300.0
    )
    (sending.inbox / "a.jpg").write_bytes(b"second")
    posts = len(server.posts())
    done = "submitted" if made else "settling"
    sending.passes_until(lambda: sending.row("a.jpg")["state"] == done, step=300.0)
    assert len(server.posts()) == posts, "the new bytes are not sent under the old id"
    if made:
        assert sending.row("a.jpg")["job_id"] == server.jobs[0].job_id
    else:
        assert not server.jobs
        server.faults, server.answer = Faults(), lambda _body: None
        sending.drop("a.jpg", b"second")
        sending.becomes(submitted=1)
        assert sending.row("a.jpg")["reference_id"].startswith("a.jpg~")


# The ledger


def _limit_pages(ledger: Ledger, more: int | None) -> None:
    pages = ledger.sql.execute("pragma page_count").fetchone()[0]
    ledger.sql.execute(f"pragma max_page_count = {2**30 if more is None else pages + more}")


@pytest.mark.parametrize("batch", [None, "of today"])
def test_nothing_is_sent_that_cannot_be_recorded(
    tmp_path: Path, server: Server, clock: Clock, caplog: pytest.LogCaptureFixture, batch: str | None
) -> None:
    """SQLite says 'disk full' where it may take no more pages; what it says then is the same as on a full disk."""
    caplog.set_level(logging.ERROR)
    with Sending(tmp_path, server.url, clock, batch_name=lambda _path: batch, paused=True) as sending:
        sending.drop_many(200)
        sending.ledger.call(lambda ledger: _limit_pages(ledger, 2))
        sending.unpause()
        eventually(lambda: any("cannot be written" in record.message for record in caplog.records))
        for _ in range(5):
            sending.advance(2.0)
            eventually(lambda: not sending.submitter._in_flight.posting or sending.submitter._outcomes._unwritten)
        made = {job.reference_id for job in server.jobs}
        recorded = {
            row["reference_id"]
            for row in query(sending.path, "select reference_id from jobs where state in ('submitting', 'submitted')")
        }
        assert made <= recorded
        assert len(caplog.records) < 40, "it says so, but not in a loop"
        eventually(lambda: sending.ledger.submit(lambda ledger: _limit_pages(ledger, None)).exception() is None)

        def goes_on() -> bool:
            sending.advance(0.1)
            return sending.states() == {"submitted": 200}

        eventually(goes_on)
        assert len(server.jobs) == len(server.posts()) == 200
        job_ids = {row["job_id"] for row in query(sending.path, "select job_id from jobs")}
        assert job_ids == {job.job_id for job in server.jobs}


def test_a_settings_change_between_intent_and_retry_changes_nothing(
    tmp_path: Path, server: Server, clock: Clock
) -> None:
    server.faults = Faults(error_before=1.0)
    with Sending(tmp_path, server.url, clock) as sending:
        sending.drop("a.jpg")
        eventually(lambda: sending.row("a.jpg")["attempts"] and sending.states() == {"pending": 1})
        sending.pause()
    server.faults = Faults()
    changed = Terms(Edition.V1, FLOW, "8f14e45f-ceea-467f-9c3a-6c5f4a0a8a12", 1)
    with Sending(tmp_path, server.url, clock, terms=changed, batch_name=lambda _path: "new") as sending:
        sending.passes_until(lambda: sending.states() == {"submitted": 1})
    bodies = {call.request.body for call in server.posts()}
    assert len(bodies) == 1
    assert json.loads(bodies.pop())["tag"] == "boxes"
    assert {call.request.path for call in server.posts()} == {"/v0/projects/p1/jobs"}


def test_the_rate_is_kept(tmp_path: Path, server: Server, clock: Clock) -> None:
    began = clock.monotonic()
    with Sending(tmp_path, server.url, clock, per_minute=60.0) as sending:
        sending.drop_many(30)

        def goes_on() -> bool:
            if not sending.submitter._in_flight.posting:
                sending.advance(0.1)
            return sending.states() == {"submitted": 30}

        eventually(goes_on)
    assert clock.monotonic() - began >= 28
    for start in range(30):
        within = [call for call in server.posts() if start <= call.at - began < start + 10]
        assert len(within) <= 16, "it comes a little later than it was let go"
