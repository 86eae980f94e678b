"""Frames that are kept for sending: given once, for the very row they were written for, and never too many."""

from __future__ import annotations

import pytest

from agent.ledger import recent_frames
from agent.ledger.recent_frames import RecentFrames
from agent.model import Frame, Stamp


def _frames(count: int) -> list[Frame]:
    return [Frame(at, f"{at}.jpg", f"d/{at}.jpg", Stamp(1, 2, 3, at), "ab", f"https://h/{at}") for at in range(count)]


def test_frames_are_given_once_and_for_their_row_alone() -> None:
    kept, frames = RecentFrames(), _frames(3)
    kept.keep(1, frames, "d", "digest", "12:00")
    assert kept.take(2, "d", "digest", "12:00") is None
    assert kept.take(1, "d", "digest", "12:00") == frames
    assert kept.take(1, "d", "digest", "12:00") is None


@pytest.mark.parametrize("row", [("e", "digest", "12:00"), ("d", None, "12:00"), ("d", "digest", "12:01"), ()])
def test_a_row_that_is_another_by_now_is_given_none_and_has_them_forgotten(row: tuple[str | None, ...]) -> None:
    kept = RecentFrames()
    kept.keep(1, _frames(3), "d", "digest", "12:00")
    assert kept.take(1, *row) is None
    assert kept.take(1, "d", "digest", "12:00") is None


def test_what_is_forgotten_is_not_given_and_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_frames, "MOST_FRAMES", 10)
    kept = RecentFrames()
    for _ in range(5):  # kept again, or forgotten, it counts no more
        kept.keep(1, _frames(6), "d")
        kept.forget(1)
        kept.forget(2)
        kept.keep(1, _frames(4), "d")
        kept.keep(1, _frames(4), "d")
    kept.keep(2, _frames(6), "e")
    assert kept.take(1, "d") == _frames(4)
    assert kept.take(2, "e") == _frames(6)


def test_the_oldest_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_frames, "MOST_FRAMES", 10)
    kept = RecentFrames()
    for job in range(1, 5):
        kept.keep(job, _frames(4), "d")
    assert [job for job in range(1, 5) if kept.take(job, "d")] == [3, 4]
    kept.keep(5, _frames(11), "d")
    assert kept.take(5, "d") is None
