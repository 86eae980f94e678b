"""What keeps the ledger small while nothing else is to be done: its WAL, by the ledger's own thread."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import threading
from concurrent.futures import wait
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from agent.host.clock import utc_now
from agent.ledger import upkeep
from agent.ledger import writer as writing
from agent.ledger.files import wal_of
from agent.ledger.store import WAL_BYTES, Ledger
from agent.ledger.units import notice
from agent.ledger.upkeep import Upkeep
from agent.ledger.writer import GROUP, LONE_GROUP, Each, LedgerWriter
from agent.model import Kind
from agent.model.units import Sight
from tests.layout import modules
from tests.sending import Clock
from tests.support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with contextlib.closing(Ledger(tmp_path / "ledger.db", utc_now)) as opened:
        yield opened


@pytest.fixture
def writer(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Iterator[LedgerWriter]:
    monkeypatch.setattr(upkeep, "EVERY_SECONDS", 0.0)
    with contextlib.closing(LedgerWriter(ledger, Upkeep(None).step)) as thread:
        yield thread


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Keep a read transaction open, as a dashboard may."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("begin")
        reader.execute("select count(*) from jobs").fetchone()
        yield


def _grow(writer: LedgerWriter, path: Path) -> None:
    while wal_of(path).stat().st_size < 2 * WAL_BYTES:
        writer.call(lambda ledger: ledger.put(version=os.urandom(500_000).hex()))


def _put(ledger: Ledger, *, number: int) -> None:
    ledger.put(version=str(number))


def test_the_wal_shrinks_once_who_held_it_has_gone(ledger: Ledger, writer: LedgerWriter) -> None:
    with _reading(ledger.path):
        _grow(writer, ledger.path)
        writer.call(lambda ledger: ledger.put(version="y"))  # who reads is not waited for
        assert wal_of(ledger.path).stat().st_size >= 2 * WAL_BYTES
    writer.call(lambda _ledger: None)  # a beat of the heart is enough
    eventually(lambda: wal_of(ledger.path).stat().st_size <= WAL_BYTES)
    patience = writer.call(lambda ledger: ledger.sql.execute("pragma busy_timeout").fetchone())  # after the step
    assert patience == (10_000,)
    assert writer.call(lambda ledger: ledger.get("version")) == "y"


def test_a_busy_ledger_keeps_the_wal_small_by_its_writes_alone(ledger: Ledger) -> None:
    with contextlib.closing(LedgerWriter(ledger)) as writer:
        with _reading(ledger.path):
            _grow(writer, ledger.path)
        for number in range(3):
            writer.call(partial(_put, number=number))
        assert wal_of(ledger.path).stat().st_size <= WAL_BYTES


def test_what_never_has_nothing_to_do_is_kept_small_too(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "BUSY_SECONDS", 0.0)
    kept: list[bool] = []
    with contextlib.closing(LedgerWriter(ledger, lambda _ledger: kept.append(True))) as writer:
        begun, release = threading.Event(), threading.Event()

        def hold(_ledger: Ledger) -> None:
            begun.set()
            release.wait(20)

        writer.submit(hold)
        begun.wait(20)
        others = [writer.submit(partial(_put, number=number)) for number in range(3 * GROUP)]
        release.set()
        others[0].result()
        eventually(lambda: kept)
        wait(others)
    assert len(kept) >= 3, "after each group, though more waited"


@pytest.mark.parametrize("sends", [False, True])
def test_units_are_written_in_larger_groups_while_nothing_is_sent(
    writer: LedgerWriter, monkeypatch: pytest.MonkeyPatch, *, sends: bool
) -> None:
    monkeypatch.setattr("agent.ledger.writer.LULL", 3600.0 if sends else 0.0)
    begun, release = threading.Event(), threading.Event()
    sizes: list[int] = []

    def hold(_ledger: Ledger) -> None:
        begun.set()
        release.wait(20)

    def write(_ledger: Ledger, items: Sequence[int]) -> Sequence[int]:
        sizes.append(len(items))
        return items

    writer.submit(hold, first=True)
    begun.wait(20)
    written = [writer.submit(Each(write, number)) for number in range(LONE_GROUP + 3 * GROUP)]
    release.set()
    assert [each.result() for each in written] == list(range(LONE_GROUP + 3 * GROUP))
    assert max(sizes) == (GROUP if sends else LONE_GROUP)


def test_a_step_comes_once_a_second_and_trouble_is_told_once_a_minute(
    ledger: Ledger, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    steps: list[float] = []

    def shrink() -> None:
        steps.append(now)
        if now < 102:
            raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(ledger, "shrink_wal", shrink)
    kept = Upkeep(None, lambda: now)
    while now < 170:
        kept.step(ledger)
        now += 0.5
    assert steps == [100.0, *(float(second) for second in range(160, 170))]
    assert [record.getMessage() for record in caplog.records] == [
        "the ledger cannot be kept small now: database or disk is full"
    ]


DAY = 24 * 3600.0


def _events(ledger: Ledger) -> list[tuple[int | None, str, str]]:
    """Return (job, event, detail) of each event, oldest first."""
    return ledger.sql.execute("select job, event, detail from events order by id").fetchall()


def _happens(ledger: Ledger, *events: tuple[int | None, str]) -> None:
    with ledger.transaction():
        for number, (job, event) in enumerate(events):
            ledger.record(job, event, f"{event} {number}")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def old(tmp_path: Path, clock: Clock) -> Iterator[Ledger]:
    """A ledger of three jobs, to which things happened 500 days ago, and to some of them 100 days ago."""
    with contextlib.closing(Ledger(tmp_path / "old.db", clock.now)) as opened:
        with opened.transaction():
            notice(opened, *(Sight(f"{number}.jpg", Kind.IMAGE, "waits", 1, 10) for number in range(1, 4)))
        _happens(opened, (None, "started"), (1, "pending"), (1, "submitting"), (1, "submitted"), (2, "pending"))
        _happens(opened, (None, "stopped"), (None, "started"), (None, "paused"), (2, "submitting"), (3, "invalid"))
        clock.advance(400 * DAY)
        _happens(opened, (2, "submitted"), (None, "stopped"), (3, "settling"))
        clock.advance(100 * DAY)
        _happens(opened, (3, "pending"))
        yield opened


def test_old_events_go_but_the_last_one_of_each_job_and_of_each_kind_of_the_agents_own(old: Ledger) -> None:
    Upkeep(400, lambda: 0.0).step(old)
    assert [(job, event) for job, event, _ in _events(old)] == [
        (1, "submitted"),
        (None, "started"),
        (None, "paused"),
        (2, "submitted"),
        (None, "stopped"),
        (3, "settling"),
        (3, "pending"),
    ]


def test_without_a_number_of_days_all_stay(old: Ledger) -> None:
    before = _events(old)
    Upkeep(None, lambda: 0.0).step(old)
    assert _events(old) == before


def test_they_go_in_small_steps_and_what_was_a_last_one_goes_a_day_later(
    old: Ledger, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "LOOKED_AT_TOGETHER", 3)
    now = 0.0
    kept = Upkeep(400, lambda: now)

    def steps() -> list[int]:
        """Take steps until one finds nothing; return how many events there were after each."""
        nonlocal now
        counts = [len(_events(old))]
        while len(counts) < 3 or counts[-2:] != [counts[-3]] * 2:
            now += 1.0
            kept.step(old)
            counts.append(len(_events(old)))
        return counts

    first = steps()
    assert len(first) > 5
    assert all(0 <= before - after <= 3 for before, after in pairwise(first))
    assert first[-1] == 7
    clock.advance(350 * DAY)
    _happens(old, (1, "completed"))
    now += DAY - 60.0
    assert len({*steps()}) == 1, "the next round is not yet"
    now += 120.0
    steps()
    assert [(job, event) for job, event, _ in _events(old)] == [
        (None, "started"),
        (None, "paused"),
        (2, "submitted"),
        (None, "stopped"),
        (3, "pending"),
        (1, "completed"),
    ]


def test_nothing_else_deletes_or_changes_an_event() -> None:
    changes = re.compile(r"\b(delete\s+from|update)\s+event_log\b", re.IGNORECASE)
    assert {module.name for module in modules() for text in module.texts() if changes.search(text)} == {"ledger/upkeep"}
