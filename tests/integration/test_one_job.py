"""What is asked of one job is found by indexes, however many others there are."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from agent.host.clock import utc_now
from agent.ledger.looks import Looks
from agent.ledger.store import Ledger
from tests.page_rows import put

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ASKED: list[Callable[[Looks], Any]] = [
    lambda reads: reads.job(1),
    lambda reads: reads.others_of_path(1, 20),
    lambda reads: reads.events_of(1, 100),
    lambda reads: reads.job_frames(1, 0, 100),
    lambda reads: reads.frame_ids(1),
]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with contextlib.closing(Ledger(tmp_path / "ledger.db", utc_now)) as opened:
        with opened.transaction():
            for number in range(50):
                put(opened, f"cam/{number % 10}.jpg", "submitted", reference_id=str(number))
        yield opened


def test_nothing_reads_all_rows(ledger: Ledger) -> None:
    said: list[str] = []
    with Looks.open(ledger.path) as reads:
        reads._sql.set_trace_callback(said.append)
        for ask in ASKED:
            ask(reads)
        reads._sql.set_trace_callback(None)
    assert len(said) >= len(ASKED)
    plans = [row[3] for asked in said for row in ledger.sql.execute(f"explain query plan {asked}")]
    assert [plan for plan in plans if plan.startswith("SCAN") and "CONSTANT" not in plan] == []


def test_the_others_of_a_path_are_told_newest_first(ledger: Ledger) -> None:
    with Looks.open(ledger.path) as reads:
        assert [row["id"] for row in reads.others_of_path(1, 3)] == [41, 31, 21]
        assert [event["event"] for event in reads.events_of(1, 5)] == ["submitted"]
        assert reads.job(99) is None


def test_an_image_whose_file_was_not_read_yet_is_told_by_its_path(ledger: Ledger) -> None:
    with Looks.open(ledger.path) as reads:
        [frame] = reads.job_frames(1, 0, 100)
        assert (frame.path, frame.frame_id, frame.stamp, frame.pixels) == ("cam/0.jpg", "0.jpg", None, None)
        assert reads.job_frames(1, 1, 100) == []
        assert reads.job_frames(99, 0, 100) == []
