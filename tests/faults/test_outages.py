"""Playment, or the place of the files, is away, wants fewer requests, or takes nothing: asked rarely, told once.

The clock is the test's, but where an agent runs.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from agent.core.life import HEARTBEAT_SECONDS
from agent.core.retry import BREAKER
from agent.sandbox.server import Answer
from tests.integration.test_base_url import answering
from tests.sending import Clock, Sending, Server, refusal
from tests.soak import LONG
from tests.support import Agent, Playment, command, environ, eventually, image, query, settings, write

if TYPE_CHECKING:
    from pathlib import Path

    from agent.sandbox.server import Request

HOUR = 3600.0
SECONDS = 60.0 if LONG else 20.0
"""How long a limited server is to be well used."""
DOWN = refusal(500, "x")


def _stem(body: dict[str, Any]) -> str:
    return str(body["reference_id"]).partition("~")[0]


@pytest.fixture
def down(server: Server) -> Server:
    server.answer = lambda _body: DOWN
    return server


def _outages(sending: Sending) -> list[str]:
    return [row["detail"] for row in query(sending.path, "select detail from events where event = 'outage'")]


def _events(sending: Sending) -> int:
    return int(query(sending.path, "select count(*) as n from events")[0]["n"])


@pytest.mark.parametrize("workers", [1, 8, 64])
def test_it_is_asked_rarely_whatever_waits(tmp_path: Path, down: Server, clock: Clock, workers: int) -> None:
    with Sending(tmp_path, down.url, clock, workers=workers, paused=True) as sending:
        sending.drop_many(300)
        began = clock.monotonic()
        sending.unpause()
        sending.passes_until(lambda: clock.monotonic() - began >= 300.0, step=1.0)
        assert sending.submitter.trouble
        times = [call.at - began for call in down.posts()]
        assert len([at for at in times if at < 30.0]) <= 60
        assert len([at for at in times if 30.0 <= at < 90.0]) <= 30
        assert len([at for at in times if 180.0 <= at < 240.0]) <= 1
        # It answers again: the first probe that finds it so is followed by all, in the order in which they settled.
        down.answer = lambda _body: None
        sending.passes_until(lambda: down.jobs, step=1.0)
        back = clock.monotonic()
        eventually(lambda: sending.states() == {"submitted": 300})
        assert clock.monotonic() == back, "nothing waits for the end of a back-off"
        assert back - began <= 300.0 + BREAKER.longest + 5.0
        order = [job.reference_id for job in down.jobs][1:]
        late = sum(later < before for before, later in itertools.pairwise(order))
        assert late <= (0 if workers == 1 else 200)
        if workers == 1:
            assert order == sorted(order)
        assert len({job.reference_id for job in down.jobs}) == len(down.jobs) == 300


def test_an_outage_is_told_when_it_begins_once_an_hour_and_when_it_ends(
    tmp_path: Path, down: Server, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with Sending(tmp_path, down.url, clock) as sending:
        sending.drop_many(100)
        sending.passes_until(lambda: _outages(sending), step=1.0)
        before, lines = _events(sending), len(caplog.records)
        began = clock.monotonic()
        sending.passes_until(lambda: clock.monotonic() - began > 3 * HOUR + 60.0, step=20.0)
        assert len(down.posts()) > 100
        assert _events(sending) == before + 3
        assert len([record for record in caplog.records[lines:] if record.levelname != "DEBUG"]) == 3
        assert "HTTP 500" in query(sending.path, "select value from agent where key = 'outage'")[0]["value"]
        down.answer = lambda _body: None
        sending.passes_until(lambda: sending.states() == {"submitted": 100}, step=20.0)
        eventually(lambda: len(_outages(sending)) == 5)
        assert "is back" in _outages(sending)[-1]
        assert query(sending.path, "select value from agent where key = 'outage'")[0]["value"] == ""
        assert not sending.submitter.trouble


def test_jobs_that_fail_alone_stand_before_no_other(tmp_path: Path, server: Server, clock: Clock) -> None:
    """Many of them at the head of the queue may open the breaker; what goes through shows that the server is there."""
    server.answer = lambda body: DOWN if _stem(body) < "00060.jpg" else None
    with Sending(tmp_path, server.url, clock, paused=True) as sending:
        sending.drop_many(300)
        began = clock.monotonic()
        sending.unpause()
        sending.passes_until(lambda: len(server.jobs) == 240, step=0.5)
        assert clock.monotonic() - began < 60.0
        eventually(lambda: sending.states() == {"pending": 60, "submitted": 240})
        assert len(_outages(sending)) < 20, "an outage that the first probe ends is none"


def test_a_new_job_goes_soon_though_a_few_old_ones_fail_alone(tmp_path: Path, server: Server, clock: Clock) -> None:
    server.answer = lambda body: None if _stem(body) == "good.jpg" else DOWN
    with Sending(tmp_path, server.url, clock) as sending:
        sending.drop_many(20)
        began = clock.monotonic()
        sending.passes_until(lambda: clock.monotonic() - began > HOUR, step=20.0)
        sending.drop("good.jpg")
        dropped = clock.monotonic()
        sending.passes_until(lambda: sending.row("good.jpg")["state"] == "submitted", step=1.0)
        assert clock.monotonic() - dropped <= BREAKER.longest + 1.0


def test_replies_that_are_lost_in_an_outage_lead_to_no_second_job(tmp_path: Path, server: Server, clock: Clock) -> None:
    """Each probe makes its job, and answers 500: they are found again, and each is there once."""

    def made_but_broken(body: dict[str, Any]) -> Answer | None:
        if not any(job.reference_id == body["reference_id"] for job in server.jobs):
            request = server.posts()[-1].request
            super(Server, server)._call("create_job", request)
        return DOWN

    with Sending(tmp_path, server.url, clock, paused=True) as sending:
        sending.drop_many(40)
        server.answer = made_but_broken
        sending.unpause()
        began = clock.monotonic()
        sending.passes_until(lambda: clock.monotonic() - began > 2 * HOUR, step=20.0)
        assert len(server.jobs) > 20
        server.answer = lambda _body: None
        sending.passes_until(lambda: sending.states() == {"submitted": 40}, step=20.0)
        ours = {row["job_id"] for row in query(sending.path, "select job_id from jobs")}
        assert ours == {job.job_id for job in server.jobs}
        assert len(server.jobs) == 40


def test_a_file_that_goes_after_a_probe_whose_answer_was_lost_is_looked_for_an_hour(
    tmp_path: Path, server: Server, clock: Clock
) -> None:
    """No event tells of the probe; that its job may be in no list yet must be known all the same."""
    server.answer = lambda _body: DOWN
    with Sending(tmp_path, server.url, clock, workers=1) as sending:
        sending.drop_many(6)
        began = clock.monotonic()
        sending.passes_until(lambda: clock.monotonic() - began > 3 * HOUR, step=20.0)
        (sending.inbox / "00003.jpg").unlink()
        sending.passes_until(lambda: sending.row("00003.jpg")["lookup"] == "changed", step=20.0)
        server.answer = lambda _body: None
        found = clock.monotonic()
        sending.passes_until(lambda: sending.states().get("submitted") == 5, step=20.0)
        sending.passes_until(lambda: "may lag" in sending.row("00003.jpg")["reason"], step=5.0)
        sending.passes_until(lambda: sending.row("00003.jpg")["state"] == "settling", step=60.0)
        assert clock.monotonic() - found > 0.5 * HOUR


def test_a_pause_in_an_outage_stops_the_probes_too(tmp_path: Path, down: Server, clock: Clock) -> None:
    with Sending(tmp_path, down.url, clock) as sending:
        sending.drop_many(20)
        sending.passes_until(lambda: sending.submitter.trouble, step=1.0)
        sending.pause()
        posts = len(down.posts())
        for _ in range(20):
            sending.advance(30.0)
        assert len(down.posts()) == posts
        sending.unpause()
        sending.passes_until(lambda: len(down.posts()) > posts, step=5.0)


def test_batches_are_asked_for_by_one_job_too(tmp_path: Path, server: Server, clock: Clock) -> None:
    call = server._call
    asked: Counter[str] = Counter()

    def no_batches(name: str, request: Request) -> Answer:
        asked[name] += 1
        return DOWN if name == "create_batch" else call(name, request)

    server._call = no_batches  # type: ignore[method-assign, assignment]
    with Sending(tmp_path, server.url, clock, batch_name=lambda path: f"of {path}") as sending:
        sending.drop_many(100)
        began = clock.monotonic()
        sending.passes_until(lambda: clock.monotonic() - began > 30.0, step=1.0)
        assert asked["create_batch"] <= 60
        server._call = call  # type: ignore[method-assign]
        sending.passes_until(lambda: sending.states() == {"submitted": 100}, step=5.0)


# Out of credit


@pytest.mark.parametrize("refused", [refusal(402, "NEW_1"), refusal(400, "credit_exhausted")])
def test_without_credit_it_is_blocked_and_goes_on_by_itself(
    tmp_path: Path, server: Server, clock: Clock, refused: Answer
) -> None:
    server.answer = lambda _body: refused
    with Sending(tmp_path, server.url, clock) as sending:
        sending.drop_many(200)
        eventually(lambda: sending.gate.blocked)
        began = clock.monotonic()
        sending.passes_until(lambda: not sending.submitter.in_flight(), step=0.0)
        assert sending.states() == {"pending": 200}
        first = len(server.posts())
        assert first <= 8
        told = query(sending.path, "select value from agent where key = 'blocked'")[0]["value"]
        assert "no credit left" in told
        sending.passes_until(lambda: clock.monotonic() - began > 600.0, step=10.0)
        assert first + 8 <= len(server.posts()) <= first + 11, "a probe a minute"
        assert sending.states().get("failed") is None
        server.answer = lambda _body: None
        sending.passes_until(lambda: sending.states() == {"submitted": 200}, step=10.0)
        assert not sending.gate.blocked
        assert query(sending.path, "select value from agent where key = 'blocked'")[0]["value"] == ""


def test_once_without_credit_ends_with_3(tmp_path: Path) -> None:
    with Playment() as playment:
        playment._call = lambda call, request: refusal(402, "credit")  # type: ignore[method-assign]
        write(tmp_path / "inbox" / "a.jpg", image(1))
        told = command("run", "--once", environ=environ(tmp_path, playment.url), cwd=tmp_path)
        assert told.returncode == 3, told.stderr
        assert "no credit left" in told.stderr
        status = command("status", environ=environ(tmp_path, playment.url), cwd=tmp_path)
        assert (status.returncode, "BLOCKED" in status.stdout) == (3, True)


# The place of the files


@pytest.mark.timeout(150)
def test_a_wrong_publish_to_is_told_within_a_minute_and_blocks_after_ten_files(tmp_path: Path) -> None:
    with Playment() as playment, answering(404) as files:
        chosen = settings(tmp_path, playment.url, PUBLISH_TO=files.base, PUBLISH_PROBE="sample")
        surroundings = environ(tmp_path, playment.url, PUBLISH_TO=files.base, PUBLISH_PROBE="sample")
        with Agent(chosen) as agent:
            write(agent.inbox / "first.jpg", image(1))
            (row,) = eventually(lambda: query(chosen.ledger_path, "select * from attention"), 50)
            assert row["state"] == "trouble"
            assert "look whether PUBLISH_TO is the URL of WATCH_DIR" in row["reason"]
            status = command("status", environ=surroundings, cwd=tmp_path)
            assert (status.returncode, "1 need attention" in status.stdout) == (1, True)
            for number in range(40):
                write(agent.inbox / f"{number:02}.jpg", image(10 + number))
            eventually(lambda: "none of 10 files" in agent.value("blocked"), 50)
            assert len(set(files.lines)) <= 30
            assert command("status", environ=surroundings, cwd=tmp_path).returncode == 3
        assert playment.jobs == []


@pytest.mark.timeout(150)
def test_a_place_of_files_that_is_away_is_not_hammered(tmp_path: Path) -> None:
    with Playment() as playment, answering(503) as files:
        chosen = settings(tmp_path, playment.url, PUBLISH_TO=files.base, PUBLISH_PROBE="all")
        with Agent(chosen) as agent:
            for number in range(300):
                write(agent.inbox / f"{number:03}.jpg", image(1) + b"%03d" % number)  # all of one size
            eventually(lambda: agent.value("unpublished"))
            began = time.monotonic()
            eventually(lambda: time.monotonic() - began > 8.0, 20)
            assert len(files.lines) <= 40
            size = (agent.inbox / "000.jpg").stat().st_size
            files.answer = (206, {"Content-Range": f"bytes 0-0/{size}", "Content-Length": "1"}, b"x")
            eventually(lambda: len(playment.jobs) == 300, 40)
            assert agent.value("unpublished") == ""


# A server that limits how often it is asked


class Limited(Playment):
    """Takes so many jobs in any second, and answers 429 beyond, without a word of when."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most
        self._limits = threading.Lock()
        self.taken: list[float] = []
        self.refused: list[float] = []

    def _call(self, call: str, request: Request) -> Answer:
        if call == "create_job":
            with self._limits:
                now = time.monotonic()
                if len(self.taken) >= self._most and self.taken[-self._most] > now - 1.0:
                    self.refused.append(now)
                    return refusal(429, "too_many")
                self.taken.append(now)
        return super()._call(call, request)

    def is_well_used(self, seconds: float) -> bool:
        """Tell whether of what it takes nine tenths came, and few more, for so many seconds till now."""
        since = time.monotonic() - seconds
        taken, refused = (sum(at > since for at in list(times)) for times in (self.taken, self.refused))
        return (
            bool(self.taken)
            and self.taken[0] < since
            and taken >= 0.9 * self._most * seconds
            and refused < 0.05 * (taken + refused)
        )


@pytest.mark.timeout(150)
def test_five_a_second_are_reached_and_few_are_refused(tmp_path: Path) -> None:
    with Limited(5) as playment:
        for number in range(1000):
            write(tmp_path / "inbox" / f"{number:03}.jpg", image(1) + b"%03d" % number)
        with Agent(settings(tmp_path, playment.url)) as agent:
            # For as long as neighbours on this machine let neither side be late.
            eventually(lambda: playment.is_well_used(SECONDS), 120)
            # It is written with each sign of life.
            eventually(lambda: "a second" in agent.value("sending"), 2 * HEARTBEAT_SECONDS)
            status = command("status", environ=environ(tmp_path, playment.url), cwd=tmp_path)
            assert "sent at once: " in status.stdout


def test_a_413_says_how_large_it_was(tmp_path: Path) -> None:
    class Small(Playment):
        def _call(self, call: str, request: Request) -> Answer:
            too_large = call == "create_job" and len(request.body) > 400
            return Answer(413, {}, {}) if too_large else super()._call(call, request)

    with Small() as playment:
        for number in range(7):
            write(tmp_path / "inbox" / "drive" / f"frame_{number}.jpg", image(number))
        write(tmp_path / "inbox" / "a.jpg", image(9))
        with Agent(settings(tmp_path, playment.url)) as agent:
            (row,) = agent.becomes("drive", "failed")
            agent.becomes("a.jpg", "submitted")
        assert row["error_code"] == "http-413"
        assert "too large for the server: 7 frames, " in row["reason"]
        assert " bytes. Ask for a higher limit" in row["reason"]


def test_an_empty_account_is_seen_by_batches_too(tmp_path: Path, server: Server, clock: Clock) -> None:
    call = server._call
    asked: Counter[str] = Counter()

    def no_credit(name: str, request: Request) -> Answer:
        asked[name] += 1
        return refusal(402, "credit") if name == "create_batch" else call(name, request)

    server._call = no_credit  # type: ignore[method-assign, assignment]
    with Sending(tmp_path, server.url, clock, batch_name=lambda _path: "today") as sending:
        sending.drop_many(50)
        eventually(lambda: sending.gate.blocked)
        began = clock.monotonic()
        sending.passes_until(lambda: clock.monotonic() - began > 600.0, step=10.0)
        assert asked["create_batch"] <= 24
        assert sending.states() == {"pending": 50}
        server._call = call  # type: ignore[method-assign]
        sending.passes_until(lambda: sending.states() == {"submitted": 50}, step=10.0)
        assert not sending.gate.blocked
