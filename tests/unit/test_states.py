from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.retry import JOB, Verdict, backoff, verdict
from agent.core.states import ATTENTION, MOVES, SENT, UNSENT, WAITING, State, check_move
from agent.errors import (
    AccessRefused,
    DuplicateReference,
    FileUnreadable,
    FolderUnavailable,
    IllegalMove,
    Refused,
    RemoteError,
    TryLater,
)

DAY = 24 * 3600.0
GIVE_UP_ATTEMPTS = JOB.tries


def _verdict(error: RemoteError, *, attempts: int = 1, trying_for: float = 0.0, passed_by: int = 0) -> Verdict:
    return verdict(error, attempts=attempts, trying_for=trying_for, passed_by=passed_by, random=0.5)


def test_every_state_has_its_moves() -> None:
    assert set(MOVES) == set(State)
    for now in State:
        for then in State:
            if then in MOVES[now]:
                check_move(now, then)
            else:
                with pytest.raises(IllegalMove, match=f"from {now} to {then}"):
                    check_move(now, then)


def test_what_was_sent_is_never_sent_again() -> None:
    """No way leads from a job that Playment has to one that is to be sent; or only by a person."""
    reached, left = set[State](), {State.SUBMITTED}
    while left:
        state = left.pop()
        reached.add(state)
        left |= (MOVES[state] if state is not State.FAILED else set()) - reached
    assert reached == {State.SUBMITTED, State.COMPLETED, State.FAILED}


def test_whatever_waits_can_be_moved_on_and_the_groups_are_apart() -> None:
    assert all(MOVES[state] for state in WAITING)
    assert not WAITING & ATTENTION
    assert not SENT & UNSENT


def test_only_an_intent_leads_to_a_post() -> None:
    assert [state for state in State if State.SUBMITTING in MOVES[state]] == [State.PENDING]


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_the_back_off_is_bounded_with_full_jitter(failures: int, chance: float) -> None:
    wait = backoff(failures, chance)
    assert 0 <= wait < min(JOB.longest, 2.0 ** min(failures - 1, 30))
    assert backoff(failures, 0.0) == 0.0


def test_the_back_off_doubles_from_a_second_to_five_minutes() -> None:
    ends = [backoff(failures, 1.0) for failures in range(1, 12)]
    assert ends == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_a_passing_failure_waits_as_long_as_was_asked() -> None:
    decided = _verdict(TryLater("busy", code="http-429", retry_after=77.0), attempts=3)
    assert (decided.state, decided.delay, decided.nothing_made) == (State.PENDING, 77.0, False)
    assert _verdict(TryLater("busy", code="http-429", retry_after=1.0), attempts=9).delay == 128.0


def test_only_what_proves_that_nothing_was_made_says_so() -> None:
    assert _verdict(TryLater("no connection", code="connection", refused=True)).nothing_made
    assert not _verdict(TryLater("lost", code="connection")).nothing_made
    assert _verdict(Refused("bad", code="FS_0003")).nothing_made


def test_a_refusal_is_for_good() -> None:
    for error in (Refused("bad", code="FS_0003"), DuplicateReference("used", code="FS_0001")):
        decided = _verdict(error)
        assert (decided.state, decided.delay, decided.error_code) == (State.FAILED, None, error.code)


@pytest.mark.parametrize(("seconds", "state"), [(DAY - 1, State.PENDING), (DAY, State.FAILED)])
def test_a_file_that_cannot_be_fetched_has_a_day(seconds: float, state: State) -> None:
    error = TryLater("no file", code="FS_0007", refused=True, patience=DAY)
    assert _verdict(error, attempts=200, trying_for=seconds).state is state


def test_a_job_is_not_given_up_for_a_folder_or_file_here_that_cannot_be_read() -> None:
    for error in (FolderUnavailable("no"), FileUnreadable("no")):
        for told in (error.of_job(), error.of_job().of_another()):
            assert _verdict(told, attempts=900, passed_by=900, trying_for=9 * DAY).state is State.PENDING


@pytest.mark.parametrize(
    ("attempts", "passed_by", "state"),
    [
        (GIVE_UP_ATTEMPTS, GIVE_UP_ATTEMPTS, State.FAILED),
        (GIVE_UP_ATTEMPTS, GIVE_UP_ATTEMPTS - 1, State.PENDING),
        (5000, 0, State.PENDING),
    ],
)
def test_a_job_is_given_up_only_while_others_go_through(attempts: int, passed_by: int, state: State) -> None:
    decided = _verdict(TryLater("broken", code="http-500"), attempts=attempts, passed_by=passed_by)
    assert decided.state is state
    assert decided.nothing_made is False


def test_a_refused_key_is_not_the_jobs_fault() -> None:
    decided = _verdict(AccessRefused("no", code="http-401"), attempts=900, passed_by=900, trying_for=9 * DAY)
    assert (decided.state, decided.delay, decided.nothing_made) == (State.PENDING, 0.0, True)
