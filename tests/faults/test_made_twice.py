"""Exactly once at a target that makes the same job as often as it is asked."""

from __future__ import annotations

import contextlib
import random
from collections import deque
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from agent.core.spend_guard import Limits
from agent.core.whereabouts import Whereabouts
from agent.errors import AccessRefused
from agent.ledger import jobs, orders
from agent.ledger.due import due
from agent.ledger.frames import with_sources
from agent.ledger.late import may_be_there
from agent.ledger.session import begin
from agent.ledger.store import EPOCH, Ledger, iso
from agent.model import Stamp
from tests.sending import PUBLISHER, TERMS, Clock, Sending
from tests.support import query
from tests.targets import job_of
from tests.twice import CLEAN, LIMIT, LOST, NEVER, REFUSED, Fate, Twice

if TYPE_CHECKING:
    from pathlib import Path

AGAIN = "select count(*) as n from jobs where look_again_at is not null"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def target(clock: Clock) -> Twice:
    return Twice(clock.monotonic)


def sending(place: Path, clock: Clock, target: Twice, **options: Any) -> Sending:
    return Sending(place, "http://127.0.0.1:9", clock, target=target, **options)


def is_over(agent: Sending, **states: int) -> bool:
    """Tell whether all jobs are in these states, and none is to be looked at again."""
    return agent.states() == states and not query(agent.path, AGAIN)[0]["n"]


def test_a_clean_answer_needs_no_look(tmp_path: Path, clock: Clock, target: Twice) -> None:
    with sending(tmp_path, clock, target) as agent:
        agent.drop_many(5)
        agent.becomes(submitted=5)
        assert is_over(agent, submitted=5)
    assert len(target.posts) == len(target.names()) == 5
    assert not target.looks
    assert not target.looked_again


def test_a_job_whose_answer_was_lost_is_found_and_not_sent_again(tmp_path: Path, clock: Clock, target: Twice) -> None:
    target.fates = deque([LOST])
    with sending(tmp_path, clock, target) as agent:
        agent.drop("a.jpg")
        agent.passes_until(lambda: is_over(agent, submitted=1), step=5.0)
        assert agent.row("a.jpg")["job_id"] == "1"
    assert len(target.posts) == 1
    assert len(target.looked_again) == 1


def test_what_is_not_there_is_sent_again_after_a_look_that_its_request_cannot_outlast(
    tmp_path: Path, clock: Clock, target: Twice
) -> None:
    target.fates = deque([NEVER, NEVER])
    with sending(tmp_path, clock, target) as agent:
        agent.drop("a.jpg")
        agent.passes_until(lambda: len(target.posts) == 3, step=5.0)
        agent.passes_until(lambda: is_over(agent, submitted=1), step=5.0)
    first, second, third = (at for at, _ in target.posts)
    assert second - first >= LIMIT
    assert third - second >= LIMIT
    assert not target.broken
    assert target.looked_again[-1] >= third + LIMIT, "the second look comes after the last request must be over"
    assert len(target.names()) == 1


@pytest.mark.parametrize("late", [LIMIT, None])
def test_what_is_older_than_the_start_is_looked_for_where_the_ledger_may_be_an_older_copy(
    tmp_path: Path, clock: Clock, late: float | None
) -> None:
    here = Whereabouts("1:2", "place")
    for _ in range(2):  # the first start is that of a new ledger, of which the target's lists tell
        clock.advance(60)
        with contextlib.closing(Ledger(tmp_path / "new.db", clock.now, late=late)) as ledger, ledger.transaction():
            kept = ledger.get("unsure_until")
            begin(ledger, here)
            then = ledger.get("unsure_until")
    assert (kept, then) == ("", iso(clock.now()))
    job = job_of("a~1")
    old = replace(job, frames=tuple(each._replace(stamp=Stamp(1, 2, 3, 4)) for each in job.frames))
    new_ns = int((clock.now() + timedelta(seconds=1)).timestamp() * 1e9)
    new = replace(job, frames=tuple(each._replace(stamp=Stamp(1, 2, new_ns, 4)) for each in job.frames))
    with contextlib.closing(Ledger(tmp_path / "new.db", clock.now, late=late)) as ledger:
        told = [
            may_be_there(ledger, each, seen)
            for each in (old, new)
            for seen in (iso(clock.now() + timedelta(seconds=1)), iso(EPOCH))
        ]
    assert told == ([True, True, False, True] if late else [False] * 4)


def test_a_request_that_arrives_late_is_found(tmp_path: Path, clock: Clock, target: Twice) -> None:
    target.fates = deque([Fate(arrives=LIMIT - 10)])
    with sending(tmp_path, clock, target) as agent:
        agent.drop("a.jpg")
        agent.passes_until(lambda: is_over(agent, submitted=1), step=5.0)
    assert len(target.posts) == len(target.names()) == 1


@pytest.mark.parametrize("arrives", [LIMIT + 30, 2 * LIMIT])
def test_a_twin_that_arrives_later_than_any_request_may_is_removed(
    tmp_path: Path, clock: Clock, target: Twice, arrives: float
) -> None:
    target.fates = deque([Fate(arrives=arrives)])
    with sending(tmp_path, clock, target) as agent:
        agent.drop("a.jpg")
        agent.passes_until(lambda: is_over(agent, submitted=1), step=5.0)
        assert agent.row("a.jpg")["job_id"] == "1", "the oldest stays"
    assert len(target.posts) == 2
    assert target.deleted == [2]
    assert [task.number for task in target.tasks] == [1]
    assert len(query(tmp_path / "ledger.db", "select 1 from events where event = 'twins'")) == 1


def test_the_one_that_somebody_has_worked_on_stays_and_the_ledger_has_it(
    tmp_path: Path, clock: Clock, target: Twice
) -> None:
    target.fates = deque([NEVER, Fate(is_answered=True)])
    with sending(tmp_path, clock, target) as agent:
        agent.drop("a.jpg")
        agent.passes_until(lambda: agent.states() == {"submitted": 1}, step=5.0)
        (name,) = target.names()
        target.tasks.append(type(target.tasks[0])(7, name, 1, is_worked_on=True))
        agent.passes_until(lambda: is_over(agent, submitted=1), step=5.0)
        assert agent.row("a.jpg")["job_id"] == "7"
    assert [task.number for task in target.tasks] == [7]


def test_twins_that_were_worked_on_both_are_a_persons_to_see_until_one_is_gone(
    tmp_path: Path, clock: Clock, target: Twice
) -> None:
    target.fates = deque([NEVER])
    with sending(tmp_path, clock, target) as agent:
        agent.drop("a.jpg")
        agent.passes_until(lambda: agent.states() == {"submitted": 1}, step=5.0)
        (task,) = target.tasks
        task.is_worked_on = True
        target.tasks.append(type(task)(9, task.reference_id, 1, is_worked_on=True))
        agent.passes_until(lambda: agent.row("a.jpg")["error_code"] == "twins", step=5.0)
        (told,) = query(agent.path, "select path, state, reason from attention")
        assert (told["path"], told["state"]) == ("a.jpg", "submitted")
        assert "9" in told["reason"]
        assert len(target.tasks) == 2
        target.tasks.pop()
        agent.passes_until(lambda: is_over(agent, submitted=1), step=600.0)
        assert not query(agent.path, "select * from attention")
        assert agent.row("a.jpg")["reason"] == ""


def test_a_second_look_that_a_stop_came_before_is_made_after_the_next_start(
    tmp_path: Path, clock: Clock, target: Twice
) -> None:
    target.fates = deque([Fate(arrives=2 * LIMIT)])
    with sending(tmp_path, clock, target) as agent:
        agent.drop("a.jpg")
        agent.passes_until(lambda: agent.states() == {"submitted": 1}, step=5.0)
        assert len(target.names()) == 1
        assert not target.looked_again
    clock.advance(3 * LIMIT)
    assert len(target.names()) == 2
    with sending(tmp_path, clock, target) as agent:
        agent.passes_until(lambda: is_over(agent, submitted=1), step=5.0)
    assert len(target.names()) == 1


@pytest.mark.parametrize("arrives", [0.0, 60.0, None])
def test_after_a_crash_nothing_is_sent_before_it_is_known_whether_it_is_there(
    tmp_path: Path, clock: Clock, target: Twice, arrives: float | None
) -> None:
    """The intent stands in the ledger; whether the request had left nobody knows."""

    def crashes(ledger: Ledger) -> None:
        (candidate,) = due(ledger.sql, clock.now(), 1, (), TERMS, recent=ledger.recent)
        sources = [PUBLISHER.source(frame.path, frame.digest) for frame in candidate.job.frames]
        named = replace(candidate.job, frames=with_sources(candidate.job.frames, sources), is_named=False)
        (job,) = jobs.intend(ledger, [named], Limits())
        target.fates = deque([Fate(arrives=arrives)])
        with pytest.raises(Exception, match="no answer"):
            target.create(job)

    with sending(tmp_path, clock, target, paused=True) as agent:
        agent.drop("a.jpg")
        agent.ledger.call(crashes)
    with sending(tmp_path, clock, target) as agent:
        agent.passes_until(lambda: is_over(agent, submitted=1), step=5.0)
    assert not target.broken
    assert len(target.names()) == 1
    assert len(target.posts) == (2 if arrives is None else 1)


def test_a_refusal_after_a_lost_answer_does_not_fail_a_job_that_is_there(
    tmp_path: Path, clock: Clock, target: Twice
) -> None:
    target.fates = deque([Fate(arrives=LIMIT + 40), REFUSED])
    with sending(tmp_path, clock, target) as agent:
        agent.drop("a.jpg")
        agent.passes_until(lambda: len(target.posts) == 2, step=5.0)
        agent.passes_until(lambda: agent.states() == {"failed": 1}, step=5.0)
    assert not target.broken


def test_while_the_look_fails_nothing_is_sent(tmp_path: Path, clock: Clock, target: Twice) -> None:
    target.fates = deque([LOST])
    target.is_away = True
    with sending(tmp_path, clock, target) as agent:
        agent.drop("a.jpg")
        agent.passes_until(lambda: target.posts and clock.monotonic() > 5000, step=60.0)
        assert len(target.posts) == 1
        target.is_away = False
        agent.passes_until(lambda: is_over(agent, submitted=1), step=60.0)
    assert len(target.posts) == len(target.names()) == 1


def test_a_project_that_takes_no_job_for_a_moment_fails_none(tmp_path: Path, clock: Clock, target: Twice) -> None:
    refusal = AccessRefused("its configuration fits no job", code="labelling-config", is_of_all=True)
    target.fates = deque([Fate(arrives=None, error=refusal)])
    with sending(tmp_path, clock, target) as agent:
        agent.drop("a.jpg")
        agent.passes_until(lambda: agent.states() == {"submitted": 1}, step=1.0)
    assert len(target.posts) == 2


def test_a_target_that_does_what_it_is_asked_and_whose_answers_are_all_lost_is_not_away(
    tmp_path: Path, clock: Clock, target: Twice
) -> None:
    target.fates = deque([LOST] * 50)
    with sending(tmp_path, clock, target) as agent:
        began = clock.monotonic()
        agent.drop_many(30)
        agent.passes_until(lambda: agent.states() == {"submitted": 30}, step=0.5)
        assert clock.monotonic() - began < 60.0, "as probes they would go once a minute"
    assert len(target.posts) == 30


def test_lists_that_could_not_be_read_are_read_at_once_when_the_target_is_back(
    tmp_path: Path, clock: Clock, target: Twice
) -> None:
    target.fates = deque([LOST] * 6)
    target.is_away = True
    with sending(tmp_path, clock, target) as agent:
        agent.drop_many(6)
        began = clock.monotonic()
        agent.passes_until(lambda: clock.monotonic() > began + 5000, step=50.0)
        target.is_away = False
        agent.drop("new.jpg")
        agent.passes_until(lambda: agent.row("new.jpg")["state"] == "submitted", step=1.0)
        back_at = clock.monotonic()
        agent.passes_until(lambda: agent.states() == {"submitted": 7}, step=1.0)
        assert clock.monotonic() - back_at < 10.0
    assert len(target.posts) == 7


def test_a_lost_ledger_takes_over_what_is_there_and_what_the_old_one_had_sent_arrives(
    tmp_path: Path, clock: Clock, target: Twice
) -> None:
    target.fates = deque([CLEAN, LOST, Fate(arrives=100.0)])
    names = ["a.jpg", "b.jpg", "c.jpg"]
    with sending(tmp_path, clock, target, workers=1) as agent:
        for name in names:
            agent.drop(name)
        agent.passes_until(lambda: len(target.posts) == 3, step=1.0)
    for file in tmp_path.glob("ledger.db*"):
        file.unlink()
    with sending(tmp_path, clock, target, is_new=True) as agent:
        agent.passes_until(lambda: not agent.submitter.is_past_unknown, step=1.0)
        agent.ledger.call(partial(orders.pause, paused=False))
        agent.unpause()
        for name in names:
            (agent.inbox / name).unlink()
            agent.drop(name)
        agent.passes_until(lambda: is_over(agent, submitted=3), step=5.0)
    assert not target.most()
    assert len(target.names()) == 3


@pytest.mark.parametrize("seed", range(4))
def test_whatever_becomes_of_the_requests_each_unit_is_there_once(
    tmp_path: Path, clock: Clock, target: Twice, seed: int
) -> None:
    rng = random.Random(seed)
    late = [Fate(arrives=rng.uniform(1, 2 * LIMIT)) for _ in range(8)]
    target.fates = deque(rng.choices([CLEAN, LOST, NEVER, *late], weights=[6, 4, 4, *[0.5] * 8], k=60))
    with sending(tmp_path, clock, target) as agent:
        agent.drop_many(25)
        agent.drop_frames("seq", [f"frame_{number}.jpg" for number in range(1, 12)])
        agent.passes_until(lambda: is_over(agent, submitted=26), step=20.0, seconds=60.0)
        ids = {row["job_id"] for row in query(agent.path, "select job_id from jobs")}
    assert not target.broken
    assert not target.most()
    assert len(target.names()) == 26
    assert ids == {str(task.number) for task in target.tasks}
