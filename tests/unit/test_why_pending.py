"""What a person is told that pending jobs wait for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agent.core.life import Life
from agent.reporting.waits import held, told

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
LATER = "2026-11-28T12:00:30.000Z"
TURN = {"why": "turn", "jobs": 1200, "next_attempt_at": None, "reason": ""}
KNOWN = {"past": "known", "sending": "8 of 8, at most 30 a minute"}


@pytest.mark.parametrize(
    ("agent", "alive", "why"),
    [
        ({}, Life.RUNNING, "their turn comes (sent at once: 8 of 8, at most 30 a minute)"),
        ({}, Life.STOPPED, "the agent does not run"),
        ({"blocked": "the key is refused"}, Life.RUNNING, "sending is blocked"),
        ({"paused": "1"}, Life.RUNNING, "sending is paused"),
        ({"paused": "1", "blocked": "x"}, Life.RUNNING, "sending is blocked"),
        ({"fleet": "away"}, Life.RUNNING, "the fleet's database is not reachable"),
        ({"held_until": LATER}, Life.RUNNING, f"the target has asked for a pause until {LATER}"),
        (
            {"held_until": "2026-11-28T11:59:59.000Z"},
            Life.RUNNING,
            "their turn comes (sent at once: 8 of 8, at most 30 a minute)",
        ),
        ({"outage": "away"}, Life.RUNNING, "in an outage one job at a time is tried"),
    ],
)
def test_those_whose_turn_has_come_wait_for_what_weighs_most(agent: dict[str, str], alive: Life, why: str) -> None:
    assert list(told([TURN], KNOWN | agent, alive, NOW)) == [f"1,200 pending: {why}"]


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("spend", "3 pending, by the spend limit: so it is"),
        ("later", f"3 pending, to be tried again, next try at {LATER}: so it is"),
        ("fleet", f"3 pending, for another host of the fleet, next look at {LATER}: so it is"),
        ("lookup", f"3 pending, to be looked up first whether they are there already, next look at {LATER}: so it is"),
    ],
)
def test_others_are_told_with_the_time_and_the_reason_of_the_next_one(why: str, said: str) -> None:
    wait = {"why": why, "jobs": 3, "next_attempt_at": LATER, "reason": "so it is"}
    assert list(told([wait], KNOWN, Life.RUNNING, NOW)) == [said]


def test_a_pause_that_is_over_is_none() -> None:
    assert held({"held_until": LATER}, NOW) == LATER
    assert held({"held_until": "2026-11-28T12:00:00.000Z"}, NOW) == ""
    assert held({}, NOW) == ""
