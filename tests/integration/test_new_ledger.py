"""A new ledger beside an old project: what only the lost one knew is not ordered again, and a new project goes on."""

from __future__ import annotations

import json
import logging
import socket
from typing import TYPE_CHECKING, Any

import pytest

from agent.model import Edition
from agent.sandbox.server import Answer
from agent.sending import past as sending_past
from tests.support import (
    Agent,
    Playment,
    command,
    environ,
    eventually,
    frames,
    image,
    process,
    query,
    rows,
    settings,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.sandbox.server import Request

WHY = "this ledger is new, and the project has jobs with ids of REFERENCE_ID already, such as '"


class Listing(Playment):
    """The sandbox, whose lists can be away, or be given late."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.refusal: Answer | None = None
        self.of_call: tuple[str, ...] = ("batch_jobs", "details")

    def _call(self, call: str, request: Request) -> Answer:
        answer = super()._call(call, request)
        return self.refusal if self.refusal is not None and call in self.of_call else answer


@pytest.fixture
def playment() -> Iterator[Listing]:
    with Listing() as sandbox:
        yield sandbox


def order(place: Path, env: dict[str, str], *arguments: str, code: int = 0) -> str:
    done = command(*arguments, environ=env, cwd=place)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def lose(place: Path) -> None:
    for file in place.glob("ledger.db*"):
        file.unlink()


@pytest.fixture
def tidied(tmp_path: Path, playment: Listing) -> dict[str, str]:
    """An inbox with an archive that was set aside, with what was dismissed and sent, of which some was moved since.

    Its ledger is lost; the settings are given.
    """
    inbox, env = tmp_path / "inbox", environ(tmp_path, playment.url)
    write(inbox / "archive.jpg", image(1))
    frames(inbox / "archive", 3, seed=2)
    order(tmp_path, env, "baseline")
    with Agent(settings(tmp_path, playment.url)) as agent:
        order(tmp_path, env, "pause")
        eventually(lambda: agent._service._parts.gate.is_shut)
        write(inbox / "unwanted.jpg", image(3))
        agent.becomes("unwanted.jpg", "pending")
        order(tmp_path, env, "dismiss", "unwanted.jpg")
        order(tmp_path, env, "resume")
        write(inbox / "a.jpg", image(4))
        write(inbox / "b.jpg", image(5))
        frames(inbox / "drive", 3, seed=6)
        frames(inbox / "stays", 3, seed=7)
        for path in ("a.jpg", "b.jpg", "drive", "stays"):
            agent.becomes(path, "submitted")
    lose(tmp_path)
    (inbox / "done").mkdir()
    (inbox / "drive").rename(inbox / "done" / "drive of monday")
    (inbox / "b.jpg").rename(inbox / "b (1).jpg")
    assert len(playment.receipts) == 4
    return env


ADOPTED = ["a.jpg", "b (1).jpg", "done/drive of monday", "stays"]
SET_ASIDE = ["archive", "archive.jpg", "unwanted.jpg"]


def states(place: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in query(place / "ledger.db", "select path, state from jobs order by path"):
        found.setdefault(row["state"], []).append(row["path"])
    return found


def test_nothing_is_sent_that_only_the_lost_ledger_knew(
    tmp_path: Path,
    playment: Listing,
    tidied: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    jobs = {job.reference_id: job.job_id for job in playment.jobs}
    before = playment.requests
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd, caplog.at_level(logging.WARNING):
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        with Agent(settings(tmp_path, playment.url)) as agent:
            eventually(lambda: states(tmp_path) == {"submitted": ADOPTED, "pending": SET_ASIDE})
            while not (told := systemd.recv(4096).decode()).startswith("STATUS=4 submitted, 3 waiting"):
                assert told.startswith(("STATUS=", "READY=", "WATCHDOG="))
            assert f"PAUSED: {WHY}" in told
            assert [record.getMessage() for record in caplog.records] == [agent_told(caplog)]
            assert agent.value("past") == "known"
    assert dict(playment.requests - before) == {"details": 1, "batch_jobs": 1}
    (paused,) = query(tmp_path / "ledger.db", "select detail from events where event = 'paused'")
    assert paused["detail"].startswith(WHY)
    for row in query(tmp_path / "ledger.db", "select * from jobs where state = 'submitted'"):
        assert (row["job_id"], row["tag"]) == (jobs[row["reference_id"]], "boxes")
        assert row["batch_id"] == playment.jobs[0].batch_id
    assert rows(tmp_path / "ledger.db", "b (1).jpg")[0]["reason"].endswith("moved here from b.jpg")

    plan = json.loads(order(tmp_path, tidied, "plan", "--json"))
    assert [(step["action"], step["path"], step["frames"]) for step in plan] == [
        ("submit", "archive.jpg", 1),
        ("submit", "unwanted.jpg", 1),
        ("submit", "archive", 3),
    ]
    assert plan[2]["frame_ids"] == ["frame_1.jpg", "frame_2.jpg", "frame_3.jpg"]
    assert f"PAUSED, nothing of this is sent: {WHY}" in order(tmp_path, tidied, "plan")
    assert f"PAUSED, nothing is sent: {WHY}" in order(tmp_path, tidied, "status", code=1)
    assert f"warn  ledger        sending is paused: {WHY}" in order(tmp_path, tidied, "check")

    assert order(tmp_path, tidied, "baseline") == "3 units are ignored; 4 were sent before and stay as they are\n"
    assert order(tmp_path, tidied, "resume") == "sending goes on\n"
    assert "PAUSED" not in order(tmp_path, tidied, "status")
    write(tmp_path / "inbox" / "new.jpg", image(8))
    order(tmp_path, tidied, "run", "--once")
    assert playment.paths() == sorted(["a.jpg", "b.jpg", "drive", "stays", "new.jpg"])
    assert len(playment.receipts) == 5


def agent_told(caplog: pytest.LogCaptureFixture) -> str:
    (told,) = [text for text in (record.getMessage() for record in caplog.records) if "sending is paused: " in text]
    assert WHY in told
    return told


def test_a_restart_stays_paused_and_asks_nothing_again(
    tmp_path: Path, playment: Listing, tidied: dict[str, str]
) -> None:
    order(tmp_path, tidied, "run", "--once", code=1)
    before = playment.requests
    assert f"sending is paused: {WHY}" in order(tmp_path, tidied, "run", "--once", code=1)
    assert not playment.requests - before
    assert states(tmp_path) == {"submitted": ADOPTED, "pending": SET_ASIDE}
    assert len(query(tmp_path / "ledger.db", "select 1 from events where event = 'paused'")) == 1


def test_reconcile_takes_over_before_the_first_run(tmp_path: Path, playment: Listing, tidied: dict[str, str]) -> None:
    assert "there is no ledger" in order(tmp_path, tidied, "reconcile", code=1)
    assert not (tmp_path / "ledger.db").exists()
    write(tmp_path / "inbox" / "stays" / "frame_9.jpg", image(99))  # what was sent is not what is there
    before = playment.requests
    done = command("reconcile", "--adopt", "--json", environ=tidied, cwd=tmp_path)
    assert dict(playment.requests - before) == {"details": 1, "batch_jobs": 1}
    found = json.loads(done.stdout)
    assert {(each["what"], each["path"], each["adopted"]) for each in found} == {
        ("extra", path, True) for path in ADOPTED[:3]
    } | {("extra", "", False)}
    assert done.returncode == 1
    assert f"sending is paused: {WHY}" in done.stderr
    assert states(tmp_path) == {"submitted": ADOPTED[:3]}
    assert [step["path"] for step in json.loads(order(tmp_path, tidied, "plan", "--json"))] == [
        "archive.jpg",
        "unwanted.jpg",
        "archive",
        "stays",
    ]
    order(tmp_path, tidied, "run", "--once", code=1)
    assert len(playment.receipts) == 4


def test_pause_and_baseline_before_the_first_run(tmp_path: Path, playment: Listing, tidied: dict[str, str]) -> None:
    assert order(tmp_path, tidied, "pause") == "sending is paused; noticing goes on\n"
    assert order(tmp_path, tidied, "pause") == "sending is paused; noticing goes on (as before)\n"
    assert "PAUSED, nothing is sent: a person has paused it" in order(tmp_path, tidied, "status")
    order(tmp_path, tidied, "run", "--once", code=1)
    assert f"PAUSED, nothing is sent: {WHY}" in order(tmp_path, tidied, "status", code=1)
    assert len(playment.receipts) == 4
    lose(tmp_path)
    assert order(tmp_path, tidied, "baseline") == "7 units are ignored\n"
    write(tmp_path / "inbox" / "new.jpg", image(8))
    (tmp_path / "inbox" / "stays").rename(tmp_path / "inbox" / "stays no more")
    order(tmp_path, tidied, "run", "--once")
    assert [receipt.path for receipt in playment.receipts[4:]] == ["new.jpg"]


def test_a_copy_is_its_own_job_and_content_elsewhere_is_taken_over_once(
    tmp_path: Path, playment: Listing, tidied: dict[str, str]
) -> None:
    write(tmp_path / "inbox" / "copy of a.jpg", image(4))
    write(tmp_path / "inbox" / "copy of b.jpg", image(5))
    order(tmp_path, tidied, "run", "--once", code=1)
    order(tmp_path, tidied, "resume")
    order(tmp_path, tidied, "run", "--once")
    taken = [rows(tmp_path / "ledger.db", path)[0]["reference_id"] for path in ("b (1).jpg", "copy of b.jpg")]
    assert len([reference_id for reference_id in taken if reference_id.startswith("b.jpg~")]) == 1
    sent = [receipt.path for receipt in playment.receipts[4:]]
    assert sorted(sent) == sorted(
        [*SET_ASIDE, "copy of a.jpg", "copy of b.jpg" if taken[0].startswith("b.jpg~") else "b (1).jpg"]
    )
    assert len(playment.jobs) == len(playment.receipts)


@pytest.mark.parametrize("status", [500, 404])
def test_while_the_lists_cannot_be_read_all_is_noticed_and_nothing_sent(
    tmp_path: Path, playment: Listing, tidied: dict[str, str], status: int
) -> None:
    playment.refusal = Answer(status, {"error": {"code": "x", "message": "not now"}, "success": False})
    with Agent(settings(tmp_path, playment.url)) as agent:
        eventually(lambda: states(tmp_path) == {"pending": sorted([*ADOPTED, *SET_ASIDE])})
        eventually(lambda: "cannot be read: " in agent.value("paused_why"))
        assert agent.value("past") == "unknown"
        assert "this ledger is new" in order(tmp_path, tidied, "status", code=1)
        assert not agent.value("paused")
        playment.refusal = None
        eventually(lambda: states(tmp_path) == {"submitted": ADOPTED, "pending": SET_ASIDE}, 30)
        assert agent.value("paused")
    assert len(playment.receipts) == 4


def test_a_person_who_says_resume_has_the_last_word(tmp_path: Path, playment: Listing) -> None:
    playment.refusal = Answer(500, {"success": False})
    with Agent(settings(tmp_path, playment.url)) as agent:
        write(agent.inbox / "a.jpg", image(1))
        agent.becomes("a.jpg", "pending")
        order(tmp_path, environ(tmp_path, playment.url), "resume")
        agent.becomes("a.jpg", "submitted")
        asked = playment.requests["details"]
        write(agent.inbox / "b.jpg", image(2))
        agent.becomes("b.jpg", "submitted")
        assert playment.requests["details"] <= asked + 1
    assert agent.value("past") == "known"


def test_a_new_project_is_no_matter(tmp_path: Path, playment: Listing) -> None:
    with Agent(settings(tmp_path, playment.url)) as agent:
        write(agent.inbox / "a.jpg", image(1))
        agent.becomes("a.jpg", "submitted")
        assert (agent.value("past"), agent.value("paused"), agent.value("paused_why")) == ("known", "", "")
    assert dict(playment.requests) == {"details": 1, "batch_jobs": 1, "create_job": 1}
    assert not query(tmp_path / "ledger.db", "select 1 from events where event in ('paused', 'resumed')")
    lose(tmp_path)
    other = settings(tmp_path, playment.url, REFERENCE_ID="new {path} {digest}")
    with Agent(other) as agent:  # the jobs that are there are of another template
        agent.becomes("a.jpg", "submitted")
    assert len(playment.jobs) == 2


def test_a_project_that_was_empty_while_it_was_away_goes_on_by_itself(tmp_path: Path) -> None:
    with Playment() as first:
        port = int(first.url.rpartition(":")[2])
    env = environ(tmp_path, first.url)
    with process("run", environ=env, cwd=tmp_path):
        eventually((tmp_path / "ledger.db.lock").exists)
        write(tmp_path / "inbox" / "a.jpg", image(1))
        eventually(lambda: _states(tmp_path) == ["pending"])
        with Playment(port=port) as playment:
            eventually(lambda: _states(tmp_path) == ["submitted"], 30)
            assert len(playment.receipts) == 1


def _states(place: Path) -> list[str]:
    if "cannot be read" not in (place / "agent.log").read_text(encoding="utf-8"):
        return []  # its tables may not be there yet
    return [row["state"] for row in rows(place / "ledger.db", "a.jpg")]


def test_run_once_waits_for_the_lists(tmp_path: Path) -> None:
    with Playment(latency=1.0) as playment:
        order(tmp_path, environ(tmp_path, playment.url), "run", "--once")
        assert playment.requests["batch_jobs"] == 1
        lose(tmp_path)
        write(tmp_path / "inbox" / "a.jpg", image(1))
        order(tmp_path, environ(tmp_path, playment.url), "run", "--once")
        assert playment.paths() == ["a.jpg"]


def test_a_pass_that_takes_its_time_is_the_only_one(tmp_path: Path) -> None:
    with Playment(latency=0.4, page_size=1) as playment:
        for number in range(3):
            playment._state.create_job("p1", *_job(f"{number}.jpg~0123456789ab"))
        with Agent(settings(tmp_path, playment.url)) as agent:
            eventually(lambda: agent.value("past") == "known")
            write(agent.inbox / "a.jpg", image(1))
            agent.becomes("a.jpg", "pending")
        assert dict(playment.requests) == {"details": 1, "batch_jobs": 3}


def test_a_refused_key_blocks_a_new_ledger_too(tmp_path: Path, playment: Listing) -> None:
    write(tmp_path / "inbox" / "a.jpg", image(1))
    env = environ(tmp_path, playment.url)
    order(tmp_path, {**env, "PLAYMENT_API_KEY": "revoked"}, "run", "--once", code=3)
    assert "BLOCKED" in order(tmp_path, env, "status", code=3)
    order(tmp_path, env, "run", "--once")
    assert playment.paths() == ["a.jpg"]


def test_lists_without_an_end_are_left(
    tmp_path: Path, playment: Listing, tidied: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending_past, "MOST_REQUESTS", 1)  # the project's details alone
    with Agent(settings(tmp_path, playment.url, **tidied)) as agent:
        eventually(lambda: agent.value("past") == "known")
        assert "lists are too long to look through them" in agent.value("paused_why")
    assert len(playment.receipts) == 4


def test_an_agent_that_dies_while_it_reads_the_lists_reads_them_again(
    tmp_path: Path, playment: Listing, tidied: dict[str, str]
) -> None:
    playment.refusal, playment.of_call = Answer(500, {"success": False}), ("batch_jobs",)
    with process("run", environ=tidied, cwd=tmp_path) as running:
        eventually(lambda: playment.requests["batch_jobs"] > 1)
        running.kill()
    playment.refusal = None
    order(tmp_path, tidied, "run", "--once", code=1)
    assert states(tmp_path) == {"submitted": ADOPTED, "pending": SET_ASIDE}
    assert len(playment.receipts) == 4


def test_two_ledgers_in_one_project_count_each_others_jobs(tmp_path: Path, playment: Listing) -> None:
    places = [tmp_path / "one", tmp_path / "two"]
    for number, place in enumerate(places):
        place.mkdir()
        env = environ(place, playment.url)
        write(place / "inbox" / "IMG_0001.jpg", image(number))
        write(place / "inbox" / f"{number}.jpg", image(10 + number))
        if number:
            order(place, env, "run", "--once", code=1)  # the other's ids may be its own
            order(place, env, "resume")
        order(place, env, "run", "--once")
    for place in places:
        env = environ(place, playment.url)
        told = (
            "the ledger and Playment's lists agree\n2 more jobs are in the project: their ids are not of this folder\n"
        )
        assert order(place, env, "reconcile") == told
        as_json = command("reconcile", "--json", environ=env, cwd=place)
        assert (as_json.returncode, as_json.stdout) == (0, "[]\n")
        assert as_json.stderr == "2 more jobs are in the project: their ids are not of this folder\n"


def test_a_host_in_the_template_tells_the_hosts_apart(tmp_path: Path, playment: Listing) -> None:
    env = environ(tmp_path, playment.url, REFERENCE_ID="{host}/{path}~{digest}")
    playment._state.create_job("p1", *_job("another host/a.jpg~0123456789ab"))
    write(tmp_path / "inbox" / "a.jpg", image(1))
    order(tmp_path, env, "run", "--once")
    assert len(playment.jobs) == 2


def _job(reference_id: str) -> tuple[Any, ...]:
    """Return what the sandbox makes a job of."""
    body = {"reference_id": reference_id, "tag": "boxes", "data": {"image_url": "http://h/a.jpg"}}
    return (Edition.V0, body, 1, {})


def test_check_says_it_before_the_first_run(tmp_path: Path, playment: Listing, tidied: dict[str, str]) -> None:
    told = "warn  ledger        it is new, and the project has jobs with ids of REFERENCE_ID already, such as '"
    assert told in order(tmp_path, tidied, "check")
    assert not (tmp_path / "ledger.db").exists()
    assert "it is new" not in order(tmp_path, {**tidied, "REFERENCE_ID": "new {path}"}, "check")
    playment.refusal, playment.of_call = Answer(500, {"success": False}), ("batch_jobs",)
    assert "cannot be told" in order(tmp_path, tidied, "check")
