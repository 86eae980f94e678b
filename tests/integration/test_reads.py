"""The questions that are asked of the ledger: whose connection answers, and what is said where it cannot."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest

from agent.core.spend_guard import Spent
from agent.errors import LedgerUnavailable, LedgerUnreadable
from agent.ledger.reads import Reads
from agent.ledger.recent_frames import RecentFrames
from agent.ledger.seen import Span
from agent.ledger.store import Ledger, unusable
from agent.ledger.units import notice
from agent.ledger.writer import LedgerWriter
from agent.model import Frame, Kind, Stamp, Unit, parent
from agent.model.units import Sight, UnitKey
from tests.sending import TERMS, Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

A = UnitKey("a.jpg", Kind.IMAGE)
UNIT = Unit("a.jpg", Kind.IMAGE, (Frame(0, "a.jpg", "a.jpg", Stamp(1, 1, 1, 1), "dd"),), "dd")
NOW = Clock().now()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with contextlib.closing(Ledger(tmp_path / "ledger.db", Clock().now)) as opened:
        yield opened


def _add(ledger: Ledger) -> None:
    notice(ledger, Sight("a.jpg", Kind.IMAGE, "waits", 1, 10))


def test_who_reads_sees_what_is_committed_and_the_writer_what_it_has_written(ledger: Ledger) -> None:
    with Reads.open(ledger.path) as reads:
        with ledger.transaction():
            _add(ledger)
            assert Reads.within(ledger).settling() == [A]
            assert reads.settling() == []
        assert reads.settling() == [A]
        assert [job["path"] for job in reads.jobs()] == ["a.jpg"]
        assert reads.status() == reads.report(NOW).status
    assert Reads.within(ledger).settling() == [A]


def test_where_nothing_is_every_question_has_an_answer() -> None:
    with Reads.of_nothing() as reads:
        assert reads.newest(A) is None
        assert reads.images_in("", Span()) == {}
        assert reads.due(NOW, 1, (), TERMS, recent=RecentFrames()) == []
        assert reads.next_due((), lookup=True) is None
        assert reads.spent_today(NOW) == Spent()
        assert reads.recorded("x") is None
        assert list(reads.sent()) == []
        assert (reads.damage(), reads.last_start_or_stop(), reads.agent()) == ("", "", {})
        assert reads.standing().jobs == {}


@pytest.mark.parametrize(
    "question",
    [
        lambda reads: reads.newest(A),
        lambda reads: reads.report(NOW),
        lambda reads: next(reads.sent()),
        lambda reads: next(reads.images_with(UNIT)),
    ],
)
def test_what_storage_says_is_raised_as_an_error_of_ours(question: Callable[[Reads], object]) -> None:
    with (
        Reads(sqlite3.connect(":memory:")) as reads,
        pytest.raises(LedgerUnreadable, match=r"^no such table") as caught,
    ):
        question(reads)
    assert not caught.value.is_spoilt
    assert str(unusable("so", caught.value)) == f"so: {caught.value}"


def test_a_damaged_file_is_told_from_what_may_pass(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"this is no database, and it is long enough to be looked at" * 20)
    reads = Reads(sqlite3.connect(tmp_path / "ledger.db"))
    with reads, pytest.raises(LedgerUnreadable, match=r"^file is not a database$") as caught:
        reads.standing()
    assert caught.value.is_spoilt
    assert "Move it away" in str(unusable("so", caught.value))


def test_a_question_of_the_writer_that_is_not_answered_fails_its_group(ledger: Ledger) -> None:
    """As any error of the storage: nothing of the group can be kept, and the future says what could not be done."""
    started, go = threading.Event(), threading.Event()

    def waits(_ledger: Ledger) -> None:
        started.set()
        go.wait(10)

    def asks(ledger: Ledger) -> None:
        ledger.sql.execute("alter table agent rename to other")
        Reads.within(ledger).agent()

    with contextlib.closing(LedgerWriter(ledger)) as writer:
        first = writer.submit(waits)
        assert started.wait(10)
        group = [writer.submit(_add), writer.submit(asks)]
        go.set()
        assert first.exception() is None
        for future in group:
            error = future.exception()
            assert type(error) is LedgerUnavailable
            assert str(error) == f"the ledger {ledger.path} cannot be written: no such table: agent"
        assert writer.call(lambda ledger: Reads.within(ledger).settling()) == []


def test_a_unit_is_told_of_without_going_through_all_of_them(ledger: Ledger) -> None:
    with ledger.transaction():
        for path, kind in (("a.jpg", Kind.IMAGE), ("cam/1/a.jpg", Kind.IMAGE), ("cam/2", Kind.SEQUENCE)):
            notice(ledger, Sight(path, kind, "waits", 1, 10))
        ledger.sql.execute("update jobs set reference_id = 'cam/1/a.jpg~0a' where path = 'cam/1/a.jpg'")
    asked: list[str] = []
    ledger.sql.set_trace_callback(asked.append)
    reads = Reads.within(ledger)
    found = {
        name: [row["path"] for row in reads.about(name, parent(name))]
        for name in ("a.jpg", "cam/1/a.jpg", "cam/1/a.jpg~0a", "cam/2", "cam/2/frame.jpg", "cam", "cam/1", "", "b.jpg")
    }
    ledger.sql.set_trace_callback(None)
    assert found == {
        "a.jpg": ["a.jpg"],
        "cam/1/a.jpg": ["cam/1/a.jpg"],
        "cam/1/a.jpg~0a": ["cam/1/a.jpg"],
        "cam/2": ["cam/2"],
        "cam/2/frame.jpg": ["cam/2"],
        "cam": [],
        "cam/1": [],
        "": [],
        "b.jpg": [],
    }
    plans = [row[3] for query in asked for row in ledger.sql.execute(f"explain query plan {query}")]
    assert plans
    assert not [step for step in plans if step.startswith("SCAN")], plans
