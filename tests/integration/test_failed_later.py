"""A job that Playment took and that is FAILED there later: it is told, asked for no more, and never made twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agent.sandbox import Faults
from agent.sandbox.server import Answer
from tests.support import Playment, command, environ, frames, image, query, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.sandbox.server import Request

TOLD = "Playment took this job and says now that it has failed (FS_0003: INVALID_IMAGE_LINK)"


class Forgetful(Playment):
    """The sandbox, which may know no job by its id: only the lists have it."""

    forgets = False

    def _call(self, call: str, request: Request) -> Answer:
        answer = super()._call(call, request)
        error = {"error": {"code": "FS_0006", "message": "Job Unit not found"}, "success": False}
        return Answer(400, error) if call == "job" and self.forgets else answer


class Desk:
    """Somebody at the command line of an agent that watches `place/inbox`."""

    def __init__(self, place: Path, playment: Playment, **changed: str) -> None:
        (place / "results").mkdir()
        self.place = place
        self.inbox = place / "inbox"
        self.env = environ(place, playment.url, RESULTS_DIR=str(place / "results"), **changed)

    def __call__(self, *arguments: str, code: int = 0) -> str:
        done = command(*arguments, environ=self.env, cwd=self.place)
        assert done.returncode == code, done.stderr + done.stdout
        return done.stdout

    def run(self, code: int = 0) -> None:
        """Send what is there, and fetch what is over."""
        self("run", "--once", code=code)
        self("results")

    def rows(self, path: str) -> list[dict[str, Any]]:
        return query(self.place / "ledger.db", f"select * from jobs where path = '{path}' order by id")

    def states(self, path: str = "a.jpg") -> list[str]:
        return [row["state"] for row in self.rows(path)]


@pytest.fixture
def playment() -> Iterator[Forgetful]:
    with Forgetful() as sandbox:
        sandbox.faults = Faults(fail_later=1.0)
        yield sandbox


@pytest.fixture
def desk(tmp_path: Path, playment: Forgetful) -> Desk:
    desk = Desk(tmp_path, playment)
    write(desk.inbox / "a.jpg", image(1))
    desk("run", "--once")
    return desk


def test_it_is_told_with_the_vendors_words_and_asked_for_no_more(desk: Desk, playment: Forgetful) -> None:
    assert desk.states() == ["submitted"]
    assert f"a.jpg: {TOLD}" in desk("results")
    (row,) = desk.rows("a.jpg")
    assert (row["state"], row["error_code"], row["reason"]) == ("failed", "FS_0003", TOLD)
    assert row["job_id"] == playment.jobs[0].job_id
    (told,) = query(desk.place / "ledger.db", "select * from attention")
    assert (told["path"], told["error_code"]) == ("a.jpg", "FS_0003")
    *_, event = query(desk.place / "ledger.db", "select event, detail from events where job = 1 order by id")
    assert event == {"event": "failed", "detail": f"FS_0003: {TOLD}"}
    assert TOLD in desk("explain", "inbox/a.jpg")

    asked = playment.requests
    desk("results")
    desk("run", "--once", code=1)
    assert playment.requests == asked
    assert desk.states() == ["failed"]
    assert desk("reconcile", "--json").strip() in ("", "[]")


def test_what_no_call_explains_has_failed_all_the_same(desk: Desk, playment: Forgetful) -> None:
    playment.forgets = True
    desk("results")
    (row,) = desk.rows("a.jpg")
    assert (row["state"], row["error_code"]) == ("failed", "job-failed")
    assert "it does not say why" in row["reason"]


def test_few_of_a_large_batch_are_asked_for_one_by_one(desk: Desk, playment: Forgetful) -> None:
    for count in range(150):
        body: dict[str, object] = {"reference_id": f"other-{count}", "tag": "boxes"}
        playment._state.create_job("p1", playment.jobs[0].edition, body, 1, {})
    before = playment.requests
    desk("results")
    assert playment.requests - before == {"details": 1, "job": 1}
    assert desk.states() == ["failed"]


@pytest.mark.parametrize("template", ["{path}~{digest}", "{path}"])
def test_a_retry_asks_for_the_same_job_and_makes_no_other(tmp_path: Path, playment: Forgetful, template: str) -> None:
    desk = Desk(tmp_path, playment, REFERENCE_ID=template)
    write(desk.inbox / "a.jpg", image(1))
    frames(desk.inbox / "cam", 3, seed=1)
    desk.run()
    assert desk.states() + desk.states("cam") == ["failed", "failed"]
    before = [(row["reference_id"], row["job_id"]) for path in ("a.jpg", "cam") for row in desk.rows(path)]
    desk("retry", "--all")
    desk("run", "--once")
    assert desk.states() + desk.states("cam") == ["submitted", "submitted"]
    assert len(playment.jobs) == 2
    assert [(row["reference_id"], row["job_id"]) for path in ("a.jpg", "cam") for row in desk.rows(path)] == before
    # One of them was mended there, the other was not.
    playment.complete(desk.rows("cam")[0]["job_id"], {"label": "car"})
    desk("results")
    assert desk.states() + desk.states("cam") == ["failed", "completed"]
    assert desk.rows("a.jpg")[0]["reason"] == TOLD


def test_where_playment_takes_it_anew_there_is_one_more(desk: Desk, playment: Forgetful) -> None:
    desk("results")
    playment._state.release("p1", playment.jobs[0].body)
    playment.faults = Faults()
    desk("retry", "inbox/a.jpg")
    desk("run", "--once")
    first, second = playment.jobs
    assert first.reference_id == second.reference_id
    assert desk.rows("a.jpg")[0]["job_id"] == second.job_id
    desk("results")
    assert desk.states() == ["submitted"], "the list shows the old one, too, which is not ours any more"
    playment.complete(second.job_id, {"label": "car"})
    desk("results")
    assert desk.states() == ["completed"]


def test_other_content_at_its_path_waits_for_a_person(desk: Desk, playment: Forgetful) -> None:
    desk("results")
    playment.faults = Faults()
    write(desk.inbox / "a.jpg", image(2))
    desk("run", "--once", code=1)
    assert desk.states() == ["failed", "held"]
    assert len(playment.jobs) == 1
    desk("resubmit", "inbox/a.jpg")
    desk("run", "--once", code=1)
    assert desk.states() == ["failed", "submitted"]
    assert len(playment.jobs) == 2


def test_moved_it_keeps_its_id(desk: Desk, playment: Forgetful) -> None:
    desk("results")
    (before,) = desk.rows("a.jpg")
    (desk.inbox / "a.jpg").rename(desk.inbox / "b.jpg")
    desk("run", "--once", code=1)
    (row,) = desk.rows("b.jpg")
    assert (row["state"], row["reference_id"]) == ("failed", before["reference_id"])
    desk("retry", "inbox/b.jpg")
    desk("run", "--once")
    assert desk.states("b.jpg") == ["submitted"]
    assert len(playment.jobs) == 1


def test_it_can_be_dismissed(desk: Desk, playment: Forgetful) -> None:
    desk("results")
    assert desk("dismiss", "inbox/a.jpg") == "a.jpg: ignored\n"
    desk("run", "--once")
    assert desk.states() == ["ignored"]
    assert len(playment.jobs) == 1


@pytest.mark.parametrize("orders", [[("resume",)], [("reconcile", "--adopt"), ("resume",)]])
def test_a_lost_ledger_takes_it_over_and_is_told_too(
    desk: Desk, playment: Forgetful, orders: list[tuple[str, ...]]
) -> None:
    desk("results")
    for file in desk.place.glob("ledger.db*"):
        file.unlink()
    desk("run", "--once", code=1)  # it is paused: the project has jobs that this ledger does not know
    for order in orders:
        desk(*order)
    desk("run", "--once")
    assert desk.states() == ["submitted"]
    desk("results")
    assert desk.rows("a.jpg")[0]["reason"] == TOLD
    assert len(playment.jobs) == 1
