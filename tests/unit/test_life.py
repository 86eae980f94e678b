from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.life import HEARTBEAT_SECONDS, SILENT_SECONDS, Life, life

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def agent(seconds: float) -> dict[str, str]:
    beat = (NOW - timedelta(seconds=seconds)).isoformat()
    return {"started_at": beat, "heartbeat_at": beat}


@given(st.floats(-1e6, 1e6))
def test_an_agent_that_was_not_stopped_is_alive_by_its_heartbeat(seconds: float) -> None:
    wanted = Life.SILENT if abs(seconds) > SILENT_SECONDS else Life.RUNNING
    assert life(agent(seconds), "started", NOW) is wanted


def test_three_minutes_are_many_heartbeats() -> None:
    assert SILENT_SECONDS == 180
    assert SILENT_SECONDS / HEARTBEAT_SECONDS > 5


@pytest.mark.parametrize("seconds", [0, 1e6])
def test_one_that_was_stopped_is_not_dead(seconds: float) -> None:
    assert life(agent(seconds), "stopped", NOW) is Life.STOPPED


def test_one_that_never_ran_is_not_dead() -> None:
    assert life({}, "", NOW) is Life.NEVER_RAN
    assert life({"paused": "1"}, "", NOW) is Life.NEVER_RAN


def test_a_start_that_the_ledger_has_forgotten_was_one() -> None:
    assert life(agent(10), "", NOW) is Life.RUNNING
    assert life(agent(1000), "", NOW) is Life.SILENT
