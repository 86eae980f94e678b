"""The spend guard, on a real ledger, real files and a real server; only the clock is the test's."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from agent.core.spend_guard import Limits
from agent.ledger import orders, spend
from agent.sandbox import Faults
from tests.sending import Clock, Sending, Server
from tests.support import Agent, Playment, command, environ, eventually, frames, image, query, settings, write

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

TO_MIDNIGHT = 43_200.0


def put_off(sending: Sending) -> int:
    return len(query(sending.path, "select 1 from jobs where error_code = 'spend' and state = 'pending'"))


def test_what_goes_beyond_waits_for_the_next_utc_day_and_nothing_resets_the_count(
    tmp_path: Path, server: Server, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    limits = Limits(jobs=3)
    with Sending(tmp_path, server.url, clock, limits=limits) as sending:
        sending.drop_many(8)
        sending.becomes(submitted=3, pending=5)
        eventually(lambda: put_off(sending) == 5)
        row = query(sending.path, "select * from jobs where state = 'pending' limit 1")[0]
        assert (row["error_code"], row["next_attempt_at"]) == ("spend", "2026-03-02T00:00:00.000Z")
        assert row["reason"] == (
            "the day's limit is reached: SUBMIT_LIMIT_JOBS_PER_DAY is 3; "
            "what goes beyond waits until 2026-03-02T00:00:00.000Z"
        )
        assert [record.message for record in caplog.records].count(row["reason"]) == 1
    # A restart does not reset it, and what comes later that day waits too.
    with Sending(tmp_path, server.url, clock, limits=limits) as sending:
        sending.ledger.call(spend.reconsider)
        sending.submitter.wake()
        sending.drop("late.jpg")
        eventually(lambda: put_off(sending) == 6)
        assert sending.states() == {"submitted": 3, "pending": 6}
        sending.advance(TO_MIDNIGHT)
        sending.becomes(submitted=6, pending=3)
        eventually(lambda: put_off(sending) == 3)
        assert query(sending.path, "select * from spend order by day") == [
            {"day": "2026-03-01", "jobs": 3, "frames": 3},
            {"day": "2026-03-02", "jobs": 3, "frames": 3},
        ]
        sending.advance(2 * TO_MIDNIGHT)
        sending.becomes(submitted=9)
        assert not query(sending.path, "select 1 from jobs where error_code <> '' or reason <> ''")
    assert len(server.posts()) == len(server.jobs) == 9


def test_tries_of_one_job_are_counted_once(tmp_path: Path, server: Server, clock: Clock) -> None:
    server.faults = Faults(error_before=1.0)
    with Sending(tmp_path, server.url, clock, limits=Limits(jobs=2)) as sending:
        sending.drop("a.jpg")
        sending.passes_until(lambda: len(server.posts()) >= 5, step=1.0)
        assert query(sending.path, "select jobs from spend") == [{"jobs": 1}]
        server.faults = Faults(lose_reply=1.0)
        sending.passes_until(lambda: server.jobs, step=1.0)
        server.faults = Faults()
        sending.passes_until(lambda: sending.states() == {"submitted": 1}, step=5.0)
        sending.drop("b.jpg")
        sending.becomes(submitted=2)
        sending.drop("c.jpg")
        eventually(lambda: put_off(sending) == 1)
    assert query(tmp_path / "ledger.db", "select jobs, frames from spend") == [{"jobs": 2, "frames": 2}]


def test_a_try_of_yesterday_goes_on_though_today_is_used_up(tmp_path: Path, server: Server, clock: Clock) -> None:
    server.faults = Faults(error_before=1.0)
    with Sending(tmp_path, server.url, clock, limits=Limits(jobs=1)) as sending:
        sending.drop("a.jpg")
        eventually(server.posts)
        sending.becomes(pending=1)
        clock.advance(TO_MIDNIGHT - 10)
        sending.advance(20)
        sending.drop("b.jpg")
        eventually(lambda: len({call.request.body for call in server.posts()}) == 2)
        server.faults = Faults()
        sending.passes_until(lambda: sending.states() == {"submitted": 2}, step=5.0)
        sending.drop("c.jpg")
        eventually(lambda: put_off(sending) == 1)
    days = query(tmp_path / "ledger.db", "select day, jobs from spend")
    assert days == [{"day": "2026-03-01", "jobs": 1}, {"day": "2026-03-02", "jobs": 1}]


def test_frames_are_counted_and_smaller_units_may_still_fit(tmp_path: Path, server: Server, clock: Clock) -> None:
    with Sending(tmp_path, server.url, clock, limits=Limits(frames=10), workers=1) as sending:
        sending.drop_frames("first", [f"{number}.jpg" for number in range(7)])
        sending.becomes(submitted=1)
        sending.drop_frames("second", [f"{number}.jpg" for number in range(4)])
        eventually(lambda: put_off(sending) == 1)
        sending.drop_frames("third", [f"{number}.jpg" for number in range(3)])
        sending.becomes(submitted=2, pending=1)
        sending.drop("one.jpg")
        eventually(lambda: put_off(sending) == 2)
        sending.advance(TO_MIDNIGHT)
        sending.becomes(submitted=4)


def test_a_unit_that_no_day_allows_is_held_until_a_person_pays_for_it(
    tmp_path: Path, server: Server, clock: Clock
) -> None:
    with Sending(tmp_path, server.url, clock, limits=Limits(jobs=1, frames=10)) as sending:
        sending.drop_frames("large", [f"{number}.jpg" for number in range(11)])
        sending.becomes(held=1)
        row = sending.row("large")
        assert row["error_code"] == "spend"
        assert row["reason"].startswith("it has 11 frames, more than SUBMIT_LIMIT_FRAMES_PER_DAY (10)")
        sending.drop("one.jpg")
        sending.becomes(held=1, submitted=1)

        def retry() -> None:
            sending.ledger.call(lambda ledger: [orders.retry(ledger, row) for row in orders.named(ledger, "large")])

        retry()
        sending.submitter.wake()
        sending.becomes(submitted=2)
        assert query(sending.path, "select jobs, frames from spend") == [{"jobs": 2, "frames": 12}]


def test_nothing_is_published_in_vain(tmp_path: Path, server: Server, clock: Clock) -> None:
    named: list[str] = []
    limits = Limits(jobs=2)
    options = {"batch_name": named.append, "limits": limits, "workers": 1}
    with Sending(tmp_path, server.url, clock, **options) as sending:
        sending.drop_many(200)
        sending.becomes(submitted=2, pending=198)
        eventually(lambda: put_off(sending) == 198)
        assert len(named) < 20


def test_the_whole_program_says_so_loudly(tmp_path: Path) -> None:
    with Playment() as playment:
        env = environ(tmp_path, playment.url, SUBMIT_LIMIT_JOBS_PER_DAY="2", SUBMIT_LIMIT_FRAMES_PER_DAY="20")
        with Agent(settings(tmp_path, playment.url, **env)) as agent:
            for number in range(3):
                write(agent.inbox / f"{number}.jpg", image(number))
            frames(agent.inbox / "large", 21, seed=1)
            agent.becomes("large", "held")
            eventually(lambda: len(playment.jobs) == 2)
            ledger = agent.settings.ledger_path
            eventually(lambda: query(ledger, "select 1 from jobs where error_code = 'spend' and state = 'pending'"))
            told = command("status", environ=env, cwd=tmp_path)
            assert "SPEND LIMIT: the day's limit is reached: SUBMIT_LIMIT_JOBS_PER_DAY is 2" in told.stdout
            done = command("retry", "inbox/large", environ=env, cwd=tmp_path)
            assert "held -> pending" in done.stdout
            agent.becomes("large", "submitted")
        # One pass does not wait for tomorrow.
        once = command("run", "--once", environ=env, cwd=tmp_path)
        assert (once.returncode, len(playment.jobs)) == (1, 3), once.stderr
        # A limit that was raised counts from the next start on.
        more = command("run", "--once", environ={**env, "SUBMIT_LIMIT_JOBS_PER_DAY": "9"}, cwd=tmp_path)
        assert (more.returncode, len(playment.jobs)) == (1, 3), more.stderr
        free = command("run", "--once", environ={**env, "SUBMIT_LIMIT_FRAMES_PER_DAY": ""}, cwd=tmp_path)
        assert (free.returncode, len(playment.jobs)) == (1, 3), free.stderr
        none = {**env, "SUBMIT_LIMIT_FRAMES_PER_DAY": "", "SUBMIT_LIMIT_JOBS_PER_DAY": "9"}
        assert command("run", "--once", environ=none, cwd=tmp_path).returncode == 0
        assert len(playment.jobs) == 4
