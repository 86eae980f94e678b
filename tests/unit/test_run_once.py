from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core.retry import ONCE
from agent.core.run_once import EndOfRun, RunState, exit_code

PATIENCE = ONCE.patience
DONE = RunState({"submitted": 3}, settling=0, growing=0, unlisted=0, busy=False, in_flight=0, shut=False, blocked=False)


@pytest.mark.parametrize(
    ("moment", "over"),
    [
        (DONE, True),
        (replace(DONE, jobs={}), True),
        (replace(DONE, busy=True), False),
        (replace(DONE, jobs={"pending": 1}), False),
        (replace(DONE, jobs={"submitting": 1}, in_flight=1), False),
        (replace(DONE, jobs={"settling": 1}, settling=1), False),
        (replace(DONE, jobs={"settling": 1}, settling=1, growing=1), True),
        (replace(DONE, jobs={"settling": 1}, settling=1, blocked=True, shut=True), False),
        (replace(DONE, jobs={"pending": 2}, put_off=2), True),
        (replace(DONE, jobs={"pending": 2}, put_off=1), False),
        (replace(DONE, jobs={"held": 1, "failed": 1}), True),
        (replace(DONE, jobs={"pending": 1}, shut=True), True),
        (replace(DONE, jobs={"pending": 1}, shut=True, blocked=True), True),
        (replace(DONE, jobs={"submitting": 1}, shut=True, blocked=True, in_flight=1), False),
        (replace(DONE, shut=True, asks=True), True),
        (replace(DONE, looking=True), False),
        (replace(DONE, looking=True, shut=True), True),
        (replace(DONE, jobs={}, asking=True), False),
        (replace(DONE, jobs={"pending": 1}, shut=True, asking=True), False),
        (replace(DONE, jobs={"pending": 1}, blocked=True, shut=True, asking=True), True),
    ],
)
def test_when_it_is_over(moment: RunState, over: bool) -> None:
    assert EndOfRun(0.0).is_over(moment, 1.0) is over


def test_what_does_not_move_is_the_next_runs() -> None:
    once = EndOfRun(0.0)
    waiting = replace(DONE, jobs={"pending": 2})
    assert not once.is_over(waiting, 1.0)
    assert not once.is_over(waiting, 1.0 + PATIENCE)
    assert not once.is_over(replace(DONE, jobs={"pending": 1, "submitted": 1}), 30.0 + PATIENCE), "it moved"
    assert once.is_over(replace(DONE, jobs={"pending": 1, "submitted": 1}), 31.0 + 2 * PATIENCE)


def test_lists_that_cannot_be_read_are_not_waited_for_for_ever() -> None:
    once = EndOfRun(0.0)
    asking = replace(DONE, jobs={"pending": 1}, shut=True, asking=True)
    assert not once.is_over(asking, PATIENCE)
    assert once.is_over(asking, 1.0 + 2 * PATIENCE)


def test_a_slow_answer_is_waited_for() -> None:
    once = EndOfRun(0.0)
    waiting = replace(DONE, jobs={"submitting": 1}, in_flight=1)
    assert not once.is_over(waiting, 0.0)
    assert not once.is_over(waiting, 125.0)
    assert once.is_over(waiting, 200.0), "but not for ever: it may be held back for hours"


def test_tries_in_vain_move_nothing() -> None:
    once = EndOfRun(0.0)
    for second in range(0, int(PATIENCE), 10):
        probed = replace(DONE, jobs={"pending": 1, "submitting": 1}, in_flight=1)
        assert not once.is_over(probed, float(second))
        assert not once.is_over(replace(DONE, jobs={"pending": 2}), second + 5.0)
    assert once.is_over(replace(DONE, jobs={"pending": 2}), PATIENCE + 1.0)


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        (DONE, 0),
        (replace(DONE, jobs={"submitted": 1, "ignored": 2, "gone": 1, "completed": 1}), 0),
        *((replace(DONE, jobs={state: 1}), 1) for state in ("pending", "settling", "held", "failed", "duplicate")),
        (replace(DONE, unlisted=1), 1),
        (replace(DONE, asks=True), 1),
        (replace(DONE, jobs={"pending": 1}, blocked=True, unlisted=1), 3),
    ],
)
def test_the_exit_code(moment: RunState, code: int) -> None:
    assert exit_code(moment) == code
