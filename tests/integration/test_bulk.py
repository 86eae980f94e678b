"""Images that are queued together: the ledger is as it would be had each been planned on its own."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from agent.core.reference_id import IdRules
from agent.core.states import State
from agent.ledger import baseline, bulk, orders, related, units
from agent.ledger.store import Ledger
from agent.model import Frame, Kind, Stamp, Unit, basename
from agent.model.units import Sight
from tests.sending import RULES, Clock, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


def _image(path: str, content: int, *, inode: int = 0) -> Unit:
    stamp = Stamp(10, 2, 3, inode or content)
    digest = f"{content:012d}{0:052d}"
    return Unit(path, Kind.IMAGE, (Frame(0, basename(path), path, stamp, digest),), digest)


PLAIN = [_image("f/a.jpg", 1), replace(_image("f/b\n\"'é.jpg", 2), warning="a PNG called .jpg"), _image("c.jpg", 3)]
TWIN = _image("f/x.jpg", 9)


def _see(ledger: Ledger, *seen: Unit) -> None:
    units.notice(ledger, *(Sight(unit.path, unit.kind, "settles", len(unit.frames), unit.bytes) for unit in seen))


def _twice(ledger: Ledger) -> None:
    """Have a row of the path that is gone, and one that waits."""
    _see(ledger, TWIN)
    units.vanish(ledger, TWIN.path, TWIN.kind)
    ledger.sql.execute(
        "insert into jobs (path, kind, state, first_seen_at, updated_at) "
        "select path, kind, 'settling', first_seen_at, updated_at from jobs where state = 'gone'"
    )


def _unanswered(ledger: Ledger) -> None:
    _see(ledger, TWIN)
    ledger.sql.execute("update jobs set unanswered = 1 where path = ?", (TWIN.path,))


def _sequence(ledger: Ledger) -> None:
    frame = Frame(0, "0.jpg", "f/0.jpg", Stamp(10, 2, 3, 77), "d" * 64)
    settle(ledger, Unit("f", Kind.SEQUENCE, (frame,), "e" * 64))
    ledger.sql.execute("update jobs set state = 'submitted' where path = 'f'")
    _see(ledger, TWIN)


def _changed(ledger: Ledger) -> None:
    settle(ledger, _image(TWIN.path, 8))
    _see(ledger, TWIN)


def _settled(path: str, content: int, *, inode: int = 0) -> Callable[[Ledger], None]:
    def prepare(ledger: Ledger) -> None:
        settle(ledger, _image(path, content, inode=inode))
        _see(ledger, TWIN)

    return prepare


def _same_id(ledger: Ledger) -> None:
    """Have the id that the image would get at another row, which shares nothing else with it."""
    _settled("other.jpg", 8)(ledger)
    ledger.sql.execute("update jobs set reference_id = ? where path = 'other.jpg'", (f"{TWIN.path}~{9:012d}",))


def _name(frame: Frame) -> str:
    return f"https://host/{frame.path}"


def _dump(ledger: Ledger) -> list[list[tuple[object, ...]]]:
    return [
        ledger.sql.execute(f"select {columns} from {table} order by {columns}").fetchall()
        for table, columns in (
            ("jobs", ", ".join(row[1] for row in ledger.sql.execute("pragma table_info(jobs)"))),
            ("frames", "job, position, frame_id, path, size, mtime_ns, digest, src, ctime_ns, inode"),
            ("events", "job, at, event, detail"),
            ("counts", "state, jobs, frames"),
        )
    ]


def _differ(place: Path, prepare: Callable[[Ledger], None], group: Sequence[Unit], rules: IdRules) -> set[int]:
    """Write a group both ways, and return which of it were queued together; nothing else may differ."""
    dumps = []
    for way in ("together", "apart"):
        with contextlib.closing(Ledger(place / f"{way}.db", Clock().now)) as ledger, ledger.transaction():
            _see(ledger, *PLAIN)
            prepare(ledger)
            plain = bulk.queue_plain(ledger, group, rules, _name) if way == "together" else set()
            for index, unit in enumerate(group):
                if index not in plain:
                    units.apply(ledger, related.plan(ledger.sql, unit, rules), _name)
            if way == "together":
                queued = plain
            dumps.append(_dump(ledger))
    assert dumps[0] == dumps[1]
    return queued


def test_images_of_which_nothing_is_known_are_queued_together(tmp_path: Path) -> None:
    assert _differ(tmp_path, lambda _ledger: None, PLAIN, RULES) == {0, 1, 2}


def test_nothing_is_written_for_nobody(tmp_path: Path) -> None:
    assert _differ(tmp_path, lambda _ledger: None, [], RULES) == set()


@pytest.mark.parametrize(
    "prepare",
    [
        lambda _ledger: None,
        _twice,
        _unanswered,
        _sequence,
        _changed,
        _same_id,
        _settled("elsewhere.jpg", 9, inode=99),
        _settled("of_that_inode.jpg", 8, inode=9),
    ],
    ids=["no row", "two rows", "unanswered", "sequence", "was read before", "id", "content", "inode"],
)
def test_what_the_ledger_knows_anything_about_is_planned_on_its_own(
    tmp_path: Path, prepare: Callable[[Ledger], None]
) -> None:
    assert _differ(tmp_path, prepare, [TWIN, PLAIN[2]], RULES) == {1}


@pytest.mark.parametrize(
    "unit",
    [
        replace(TWIN, problem="it is no image"),
        replace(TWIN, digest=None, problem="its name is not UTF-8"),
        replace(TWIN, digest=None, frames=(), problem="it could not be read"),
        replace(TWIN, hold=("gaps", "numbers are missing")),
    ],
    ids=["refused", "no digest", "not read", "held"],
)
def test_what_is_not_to_be_sent_is_planned_on_its_own(tmp_path: Path, unit: Unit) -> None:
    assert _differ(tmp_path, lambda ledger: _see(ledger, TWIN), [PLAIN[0], unit], RULES) == {0}


@pytest.mark.parametrize(
    ("like", "rules"),
    [
        (_image("f/y.jpg", 9, inode=99), RULES),
        (_image("f/y.jpg", 10, inode=9), RULES),
        (_image("f/y.jpg", 10), IdRules("{host}", "host1")),
    ],
    ids=["content", "inode", "id"],
)
def test_of_two_that_are_alike_the_second_is_planned_when_the_first_is_written(
    tmp_path: Path, like: Unit, rules: IdRules
) -> None:
    assert _differ(tmp_path, lambda ledger: _see(ledger, TWIN, like), [TWIN, like], rules) == {0}


def test_what_is_set_aside_is_looked_up_by_an_index(tmp_path: Path) -> None:
    asked: list[str] = []
    with contextlib.closing(Ledger(tmp_path / "ledger.db", Clock().now)) as ledger, ledger.transaction():
        ledger.sql.set_trace_callback(asked.append)
        assert baseline.set_aside_all(ledger, PLAIN) == 3
        ledger.sql.set_trace_callback(None)
        (select,) = [sql for sql in asked if sql.startswith("select unit")]
        plan = [str(row[3]) for row in ledger.sql.execute(f"explain query plan {select}")]
        assert any("USING INDEX jobs_path (path=?)" in step for step in plan), plan


def test_it_asks_once_by_indexes_however_many(tmp_path: Path) -> None:
    """SQLite would take the index on the state first, and go through all that wait."""
    asked: list[str] = []
    with contextlib.closing(Ledger(tmp_path / "ledger.db", Clock().now)) as ledger, ledger.transaction():
        _see(ledger, *PLAIN)
        ledger.sql.set_trace_callback(asked.append)
        bulk.queue_plain(ledger, PLAIN, RULES)
        ledger.sql.set_trace_callback(None)
        selects = [sql for sql in asked if sql.startswith("select")]
        assert len(selects) == 1
        plan = [str(row[3]) for row in ledger.sql.execute(f"explain query plan {selects[0]}")]
        scans = [step for step in plan if step.startswith("SCAN")]
        assert len(scans) == 1, plan
        assert "VIRTUAL TABLE" in scans[0]
        assert not [step for step in plan if "jobs_state" in step], plan
        assert ledger.sql.execute("select count(*) from jobs where state = ?", (State.PENDING,)).fetchone() == (3,)


def _sent_and_deleted(ledger: Ledger) -> None:
    settle(ledger, TWIN)
    ledger.sql.execute("update jobs set state = 'submitted', deleted_at = updated_at where path = ?", (TWIN.path,))


def _is(state: State) -> Callable[[Ledger], None]:
    def prepare(ledger: Ledger) -> None:
        settle(ledger, TWIN)
        ledger.sql.execute("update jobs set state = ? where path = ?", (state, TWIN.path))

    return prepare


@pytest.mark.parametrize(
    "prepare",
    [
        lambda _ledger: None,
        lambda ledger: _see(ledger, TWIN),
        _twice,
        _unanswered,
        _sequence,
        _sent_and_deleted,
        *map(_is, State),
    ],
    ids=["nothing", "settling row", "two rows", "unanswered", "sequence", "deleted", *State],
)
def test_what_is_set_aside_together_is_as_had_each_been(tmp_path: Path, prepare: Callable[[Ledger], None]) -> None:
    """A unit of which there is a row, a sequence, one that could not be read, and one that is there twice, too."""
    sequence = Unit("g", Kind.SEQUENCE, (Frame(0, "0.jpg", "g/0.jpg", Stamp(1, 2, 3, 70), "d" * 64),), "e" * 64)
    unread = replace(_image("u.jpg", 5), digest=None, frames=(), problem="it could not be read")
    group = [PLAIN[0], TWIN, sequence, unread, PLAIN[0], replace(PLAIN[1], problem="it is no image"), PLAIN[2]]
    dumps, marked = [], []
    for way in ("together", "apart"):
        with contextlib.closing(Ledger(tmp_path / f"{way}.db", Clock().now)) as ledger, ledger.transaction():
            prepare(ledger)
            if way == "together":
                marked.append(baseline.set_aside_all(ledger, group))
            else:
                marked.append(sum(orders.set_aside(ledger, unit) for unit in group))
            dumps.append(_without_ids(ledger))
    assert dumps[0] == dumps[1]
    assert marked[0] == marked[1]


def _without_ids(ledger: Ledger) -> list[list[tuple[object, ...]]]:
    """Return what a ledger holds, but in which order the rows came to be."""
    names = [row[1] for row in ledger.sql.execute("pragma table_info(jobs)") if row[1] != "id"]
    frames = "path, position, frame_id, size, mtime_ns, digest, src, ctime_ns, inode"
    joined = "events join jobs on jobs.id = events.job"
    return [
        ledger.sql.execute(f"select {columns} from {table} order by {columns}").fetchall()
        for table, columns in (
            ("jobs", ", ".join(names)),
            ("frames", frames),
            (joined, "path, state, at, event, detail"),
            ("counts", "state, jobs, frames"),
        )
    ]
