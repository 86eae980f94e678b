"""The ledger on a real SQLite file: its modes, its transactions, its thread, its schema."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from agent.core.fingerprints import fingerprint_of_frames
from agent.core.states import State
from agent.errors import IllegalMove, LedgerRefused, LedgerUnavailable, TryLater
from agent.ledger import due, jobs, lookups, migrations, orders, steps, traces, units, upgrade, world
from agent.ledger.frames import FRAMES_TOGETHER
from agent.ledger.recent_frames import MOST_FRAMES, RecentFrames
from agent.ledger.store import Ledger, connect
from agent.ledger.units import notice
from agent.ledger.writer import LedgerWriter
from agent.model import Frame, Kind, Move, Stamp, Unit
from agent.model.units import Sight
from tests.sending import NO_LIMITS, TERMS, Clock, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

WORLD = {"project_id": "p1", "base_url": "https://host", "watch_dir": "/inbox", "reference_id_template": "{path}"}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "ledger.db", Clock().now)
    yield opened
    opened.close()


@pytest.fixture
def thread(ledger: Ledger) -> Iterator[LedgerWriter]:
    running = LedgerWriter(ledger)
    yield running
    running.close()


def _add(ledger: Ledger, name: str = "a.jpg") -> None:
    notice(ledger, Sight(name, Kind.IMAGE, "waits", 1, 10))


def test_it_is_private_durable_and_in_wal_mode(ledger: Ledger) -> None:
    assert ledger.path.stat().st_mode & 0o777 == 0o600
    with ledger.transaction():
        _add(ledger)
    for side in ledger.path.parent.glob("ledger.db-*"):
        assert side.stat().st_mode & 0o777 == 0o600
    modes = [
        ledger.sql.execute(f"pragma {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "foreign_keys")
    ]
    assert modes == ["wal", 2, 1]


def test_an_illegal_move_is_never_written(ledger: Ledger) -> None:
    with ledger.transaction():
        _add(ledger)
    with pytest.raises(IllegalMove), ledger.transaction():
        ledger.move(1, State.SETTLING, State.SUBMITTED)
    assert ledger.sql.execute("select state from jobs").fetchall() == [("settling",)]


def test_the_counts_follow_every_change(ledger: Ledger) -> None:
    with ledger.transaction():
        for name in ("a.jpg", "b.jpg", "c.jpg"):
            _add(ledger, name)
        ledger.move(1, State.SETTLING, State.PENDING, frame_count=5)
        ledger.set(2, frame_count=7)
        ledger.sql.execute("delete from jobs where id = 3")
    counted = ledger.sql.execute("select state, count(*), sum(frame_count) from jobs group by state order by state")
    kept = ledger.sql.execute("select state, jobs, frames from counts where jobs > 0 order by state")
    assert kept.fetchall() == counted.fetchall() == [("pending", 1, 5), ("settling", 1, 7)]


def test_work_that_fails_is_undone_alone(thread: LedgerWriter, ledger: Ledger) -> None:
    def adds_then_fails(ledger: Ledger) -> None:
        _add(ledger, "b.jpg")
        raise ValueError("mine")

    def breaks_a_rule(ledger: Ledger) -> None:
        ledger.sql.execute("insert into frame_rows values (99, 0, 'x', 'x', 1, 1, null, null, 1, 1, null, null, null)")

    futures: list[Future[None]] = [
        thread.submit(work) for work in (_add, adds_then_fails, breaks_a_rule, lambda ledger: _add(ledger, "c.jpg"))
    ]
    assert [type(future.exception()) for future in futures] == [
        type(None),
        ValueError,
        sqlite3.IntegrityError,
        type(None),
    ]
    assert thread.call(lambda ledger: [row[0] for row in ledger.sql.execute("select path from jobs")]) == [
        "a.jpg",
        "c.jpg",
    ]


def test_a_ledger_that_breaks_fails_the_whole_group_and_nothing_of_it_stays(thread: LedgerWriter) -> None:
    """What SQLite says of a damaged file is no fault of the work at hand: it must be written again."""
    started, go = threading.Event(), threading.Event()

    def waits(_ledger: Ledger) -> None:
        started.set()
        go.wait(10)

    def is_corrupt(_ledger: Ledger) -> None:
        raise sqlite3.DatabaseError("database disk image is malformed")

    first = thread.submit(waits)
    assert started.wait(10)
    group = [thread.submit(_add), thread.submit(is_corrupt)]
    go.set()
    assert first.exception() is None
    assert [type(future.exception()) for future in group] == [LedgerUnavailable, LedgerUnavailable]
    assert thread.call(lambda ledger: ledger.sql.execute("select count(*) from jobs").fetchone()) == (0,)


def test_files_that_were_sent_as_images_are_found_though_two_frames_share_an_inode_number(ledger: Ledger) -> None:
    """Over several file systems at once (overlayfs, mergerfs) a number may be there twice in one folder."""

    def frame(position: int, path: str, inode: int, digest: str) -> Frame:
        return Frame(position, path.rpartition("/")[2], path, Stamp(1, 1, 1, inode), digest)

    sent = Unit("old/x.jpg", Kind.IMAGE, (frame(0, "old/x.jpg", 7, "aa"),), "aa")
    with ledger.transaction():
        settle(ledger, sent)
        ledger.sql.execute("update jobs set state = 'submitted'")
    for frames, expected in (
        ((frame(0, "cam/x.jpg", 7, "aa"), frame(1, "cam/y.jpg", 7, "bb")), [(1, "old/x.jpg", 7)]),
        ((frame(0, "cam/y.jpg", 7, "bb"), frame(1, "cam/x.jpg", 7, "aa")), [(1, "old/x.jpg", 7)]),
        ((frame(0, "cam/x.jpg", 7, "bb"), frame(1, "cam/y.jpg", 8, "aa")), [(1, "old/x.jpg", 7)]),  # a copy, perhaps
        ((frame(0, "cam/x.jpg", 7, "bb"), frame(1, "cam/y.jpg", 8, "cc")), []),
        ((frame(0, "old/x.jpg", 7, "aa"),), []),
    ):
        unit = Unit("cam", Kind.SEQUENCE, frames, "cc")
        found = traces.images_with(ledger.sql, unit)
        assert [(trace.job, trace.path, trace.stamp.inode) for trace in found] == expected


def test_a_new_ledger_that_another_process_makes_meanwhile_is_no_other_programs(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    with contextlib.closing(sqlite3.connect(path)) as asks, contextlib.closing(sqlite3.connect(path)) as makes:
        makes.isolation_level = None
        asks.set_trace_callback(lambda sql: upgrade.migrate(makes) if "sqlite_master" in sql else None)
        assert migrations.version_of(asks) == len(migrations.MIGRATIONS)


def test_it_is_bound_to_its_world_once_it_holds_jobs(ledger: Ledger) -> None:
    ledger.bind(WORLD)
    ledger.bind({**WORLD, "project_id": "p2"})
    with ledger.transaction():
        _add(ledger)
    ledger.bind({**WORLD, "project_id": "p2"})
    with pytest.raises(LedgerRefused, match=r"PLAYMENT_PROJECT_ID was 'p2' and is now 'p1'.*LEDGER_PATH"):
        ledger.bind(WORLD)


def test_what_only_reads_makes_nothing_and_writes_nothing(tmp_path: Path, ledger: Ledger) -> None:
    with pytest.raises(LedgerUnavailable, match="has the agent run yet"):
        connect(tmp_path / "none.db", read_only=True)
    assert not (tmp_path / "none.db").exists()
    reads = connect(ledger.path, read_only=True)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reads.execute("delete from jobs")
    reads.close()


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(content)
    with pytest.raises(LedgerUnavailable, match=r"ledger\.db"):
        Ledger(path, Clock().now)


def test_a_newer_ledger_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    Ledger(path, Clock().now).close()
    newer = sqlite3.connect(path)
    newer.execute("pragma user_version = 99")
    newer.close()
    with pytest.raises(LedgerRefused, match=r"version 99.*Upgrade"):
        Ledger(path, Clock().now)


def test_a_step_that_fails_leaves_the_ledger_as_it_was(monkeypatch: pytest.MonkeyPatch, ledger: Ledger) -> None:
    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("create table half (a)")
        raise sqlite3.OperationalError("disk full")

    before = ledger.sql.execute("pragma user_version").fetchone()
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, broken))
    with pytest.raises(sqlite3.OperationalError):
        upgrade.migrate(ledger.sql)
    assert ledger.sql.execute("pragma user_version").fetchone() == before
    assert not ledger.sql.execute("select 1 from sqlite_master where name = 'half'").fetchone()


def test_a_new_version_reads_sequences_again_that_were_not_sent(tmp_path: Path) -> None:
    """Its order is another one; what was sent, or may have been, keeps that in which it was sent."""
    path = tmp_path / "ledger.db"
    rows = {
        "waits": ("sequence", "pending", 0, ""),
        "failed once": ("sequence", "pending", 0, "HTTP 503"),
        "held": ("sequence", "held", 0, "frame 3 is missing"),
        "image": ("image", "pending", 0, ""),
        "may be sent": ("sequence", "pending", 1, ""),
        "asked for": ("sequence", "pending", 0, "to be sent as a new job, as asked"),
        "sent": ("sequence", "submitted", 0, ""),
    }
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as old:
        for step in (steps.m001_jobs, steps.m002_results_and_spend, steps.m003_seen):
            step(old)
        for number, (name, row) in enumerate(rows.items(), 1):
            old.execute(
                "insert into jobs (id, path, folder, kind, state, unanswered, reason, reference_id, first_seen_at, "
                "updated_at) values (?, ?, '', ?, ?, ?, ?, ?, '', '')",
                (number, name, *row, f"{name}~1"),
            )
            old.execute("insert into seen values (?, x'00')", (number,))
        old.execute("pragma user_version = 3")
    ledger = Ledger(path, Clock().now)
    try:
        states = dict(ledger.sql.execute("select path, state from jobs"))
        assert {name for name, state in states.items() if state == "settling"} == {"waits", "failed once"}
        assert {name: state for name, state in states.items() if state != "settling"} == {
            name: row[1] for name, row in rows.items() if name not in ("waits", "failed once")
        }
        seen = {name for (name,) in ledger.sql.execute("select path from jobs join seen on seen.job = jobs.id")}
        assert seen == {*rows} - {"held"}
        assert ledger.sql.execute("select jobs from counts where state = 'settling'").fetchone() == (2,)
        assert ledger.sql.execute("select count(*) from events where event = 'settling'").fetchone() == (2,)
    finally:
        ledger.close()


@pytest.mark.parametrize("count", [1, 2, due.FRAMES_TOGETHER, due.FRAMES_TOGETHER + 1, 2500])
def test_the_frames_of_a_job_are_read_in_order_whatever_is_in_their_names(ledger: Ledger, count: int) -> None:
    odd = ['"quoted"', "back\\slash", "caf\u00e9 \U0001f4f7", "\x01\x7f", "null", "[1, 2]"]
    frames = tuple(
        Frame(
            at,
            name,
            f"s/{name}",
            Stamp(at, 2**63 - 1 - at, -(2**63) + at, at),
            f"{at:064x}",
            f"https://h/{at}",
            (1920 + at, 1080) if at % 3 else None,
            at % 8 + 1 if at % 3 else 1,
        )
        for at, name in enumerate(f"{odd[at % len(odd)]} {at}.jpg" for at in range(count))
    )
    with ledger.transaction():
        settle(ledger, Unit("s", Kind.SEQUENCE, frames, "d"), name=lambda frame: frame.src)
        settle(ledger, Unit("t", Kind.SEQUENCE, (frames[0]._replace(path="t/a.jpg"),), "e"))
    assert due.frames_of(ledger.sql, 1) == list(frames)
    assert due.frames_of(ledger.sql, 2) == [frames[0]._replace(path="t/a.jpg", src=None)]


def _folder(count: int) -> Unit:
    frames = tuple(
        Frame(at, f"{at}.jpg", f"s/{at}.jpg", Stamp(at, 2, 3, at), f"{at:064x}", None, (64, 48), at % 8 + 1)
        for at in range(count)
    )
    return Unit("s", Kind.SEQUENCE, frames, "d" * 64)


def _named(frame: Frame) -> str:
    return f"https://h/{frame.path}"


def _due(ledger: Ledger, recent: RecentFrames) -> due.Candidate:
    (found,) = due.due(ledger.sql, ledger.now, 10, (), TERMS, recent=recent)
    return found


@pytest.mark.parametrize("count", [1, FRAMES_TOGETHER, FRAMES_TOGETHER + 1, MOST_FRAMES])
def test_frames_that_were_just_written_are_those_that_the_ledger_holds(ledger: Ledger, count: int) -> None:
    with ledger.transaction():
        settle(ledger, _folder(count), name=_named)
    kept, read = _due(ledger, ledger.recent), _due(ledger, ledger.recent)
    assert (kept.named, read.named) == (True, False)
    assert kept.job == read.job
    assert kept.job.seen == fingerprint_of_frames(kept.job.frames)


def _moved(ledger: Ledger) -> None:
    """There and back again: the row is as it was, and its frames have no URL."""
    frame, *others = _folder(3).frames
    away = Unit("t", Kind.SEQUENCE, (frame._replace(path="t/0.jpg"), *others), "d" * 64)
    for unit in (away, _folder(3)):
        units.apply(ledger, Move(unit, 1, ("t~1",), None))


def _settled_elsewhere(ledger: Ledger) -> None:
    """By another process, to the same content: its rows are another process's to name."""
    ledger.sql.execute("update jobs set settled_at = '2027'")
    ledger.sql.execute("update frame_rows set src = null")


def _put_aside(ledger: Ledger) -> None:
    for count in range(1, 4):
        settle(ledger, replace(_folder(MOST_FRAMES // 2), path=f"u{count}", digest=f"{count}" * 64), name=_named)
    ledger.sql.execute("update jobs set state = 'held' where path like 'u%'")


@pytest.mark.parametrize("then", [_moved, _settled_elsewhere, _put_aside])
def test_what_has_changed_since_is_read_from_the_ledger(ledger: Ledger, then: Callable[[Ledger], None]) -> None:
    with ledger.transaction():
        settle(ledger, _folder(3), name=_named)
        then(ledger)
    found = _due(ledger, ledger.recent)
    assert not found.named
    assert list(found.job.frames) == due.frames_of(ledger.sql, found.job.id)


@pytest.mark.parametrize("count", [3, MOST_FRAMES + 1])
def test_frames_without_a_url_and_too_many_are_not_kept(ledger: Ledger, count: int) -> None:
    with ledger.transaction():
        settle(ledger, _folder(count), name=_named if count > MOST_FRAMES else units.nameless)
    assert not _due(ledger, ledger.recent).named


def test_frames_of_a_row_that_was_undone_are_not_given_to_another(ledger: Ledger) -> None:
    with contextlib.suppress(ZeroDivisionError), ledger.transaction():
        settle(ledger, _folder(3), name=_named)
        raise ZeroDivisionError
    other = Unit("t", Kind.SEQUENCE, (Frame(0, "a.jpg", "t/a.jpg", Stamp(1, 2, 3, 4), "e" * 64),), "e" * 64)
    with ledger.transaction():
        settle(ledger, other)
    found = _due(ledger, ledger.recent)
    assert (found.job.id, found.job.frames, found.named) == (1, other.frames, False)


def test_what_is_asked_at_every_turn_sorts_and_scans_nothing(ledger: Ledger) -> None:
    """SQLite would take the index on the state, and sort all that is pending, a hundred times a second."""
    asked: list[str] = []
    now = Clock().now()
    ledger.sql.set_trace_callback(asked.append)
    due.due(ledger.sql, now, 10, (), TERMS, recent=ledger.recent)
    due.frames_of(ledger.sql, 1)
    due.next_due(ledger.sql, (), lookup=False)
    due.next_due(ledger.sql, (), lookup=True)
    lookups.lookups(ledger.sql, now)
    ledger.sql.set_trace_callback(None)
    plans = [" | ".join(str(row[3]) for row in ledger.sql.execute(f"explain query plan {sql}")) for sql in asked]
    wanted = (
        "jobs_pending",
        "PRIMARY KEY (job=? AND position>? AND position<?)",
        "jobs_pending",
        "jobs_lookup",
        "jobs_look_again",
        "jobs_lookup",
        "jobs_look_again",
    )
    assert len(plans) == len(wanted)
    for plan, index in zip(plans, wanted, strict=True):
        assert index in plan, plan
    assert not [plan for plan in plans[:4] if "TEMP B-TREE" in plan]


def test_a_duplicate_of_which_a_try_was_not_answered_can_be_dismissed_and_stops_no_rebind(ledger: Ledger) -> None:
    with ledger.transaction():
        ledger.put(**WORLD)
        settle(ledger, _folder(1), name=_named)
        jobs.intend(ledger, [_due(ledger, ledger.recent).job], NO_LIMITS)
        jobs.failed(ledger, 1, TryLater("no answer", code="timeout"), tries=1, random=0.0)
        jobs.intend(ledger, [_due(ledger, ledger.recent).job], NO_LIMITS)
        lookups.in_use(ledger, 1, code="FS_0001", reason="in use")
        lookups.not_ours(ledger, 1, "it has other frames")
        other = {**WORLD, "project_id": "p2"}
        for state in ("duplicate", "ignored"):
            (row,) = orders.named(ledger, "s")
            assert row.state == state
            world.rebind(ledger, other, world.changes(ledger.sql, other))
            ledger.put(**WORLD)
            assert orders.dismiss(ledger, row)


def test_a_day_of_outage_is_no_day_in_which_a_file_could_not_be_fetched(tmp_path: Path) -> None:
    clock = Clock()
    with contextlib.closing(Ledger(tmp_path / "ledger.db", clock.now)) as ledger, ledger.transaction():
        settle(ledger, _folder(1), name=_named)
        for error in (
            TryLater("away", code="http-503", refused=True, is_outage=True),
            TryLater("no file", code="FS_0007", refused=True, patience=24 * 3600.0),
        ):
            jobs.intend(ledger, [_due(ledger, ledger.recent).job], NO_LIMITS)
            jobs.failed(ledger, 1, error, tries=1, random=0.0)
            clock.advance(25 * 3600.0)
            jobs.outage_over(ledger, "http-503".__eq__)
        assert units.state_of(ledger, 1) == "pending"
