"""Jobs are claimed ahead by what is known of those before them, and not by what is committed."""

from __future__ import annotations

from agent.model import Edition, Frame, Job, Kind, Stamp
from agent.sending.in_flight import AHEAD, InFlight

WORKERS = 8
MOST = AHEAD * WORKERS


def job(number: int) -> Job:
    frame = Frame(0, f"{number}.jpg", f"{number}.jpg", Stamp(1, 2, 3, 4), "d", "http://127.0.0.1:9/a.jpg")
    return Job(number, f"r~{number}", frame.path, Kind.IMAGE, Edition.V0, "boxes", None, 5, (frame,), 1)


class Flying:
    def __init__(self, count: int = MOST) -> None:
        self.calls = 0
        self.jobs = InFlight(WORKERS, self.is_low)
        self.sends(range(count))

    def is_low(self) -> None:
        self.calls += 1

    def sends(self, numbers: range) -> None:
        for number in numbers:
            self.jobs.begin(number)
            self.jobs.is_ready(job(number))
        self.jobs.take(len(numbers))


def test_there_is_room_as_soon_as_it_is_known_what_became_of_a_job() -> None:
    flying = Flying()
    assert flying.jobs.room == 0
    for number in range(MOST // 2):
        assert flying.calls == 0
        flying.jobs.is_known(number)
    assert flying.calls == 1
    assert flying.jobs.room == MOST // 2, "whoever is called finds the room"
    assert flying.jobs.all() == set(range(MOST)), "what is not committed is under way, and not begun again"
    assert flying.jobs.posting == MOST


def test_what_waits_to_be_written_is_bounded() -> None:
    flying = Flying()
    for first in range(0, 5 * MOST, MOST):
        for number in range(first, first + MOST):
            flying.jobs.is_known(number)
        begun = max(0, flying.jobs.room)
        flying.sends(range(first + MOST, first + MOST + begun))
    assert flying.jobs.posting == 2 * MOST
    flying.jobs.end(range(MOST))
    assert flying.jobs.room == MOST


def test_a_job_that_ends_takes_no_room_and_may_come_again() -> None:
    flying = Flying(1)
    flying.jobs.is_known(0)
    flying.jobs.end([0])
    flying.jobs.is_known(0)  # an outcome of one that is under way no more, or was never sent
    assert flying.jobs.room == MOST
    flying.sends(range(1))
    assert flying.jobs.room == MOST - 1
    assert flying.jobs.all() == {0}
