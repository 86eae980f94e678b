"""What triggers keep for the page is what the jobs themselves say, whatever becomes of them."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from agent.core.states import State
from agent.ledger import kept, walks
from agent.ledger.looks import Looks
from agent.ledger.migrations import MIGRATIONS
from agent.ledger.store import Ledger
from agent.ledger.walks import Key, Part, Wanted
from tests import older_ledgers
from tests.sending import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TROUBLE = "state in ('held', 'invalid', 'failed', 'duplicate') or error_code in ('twins', 'unreadable')"
TRUTH = {
    "folder_sums": f"""
        select rtrim(substr(folder, 1, instr(folder || '/', '/')), '/') as top, count(*), sum(frame_count),
            sum(state in ('settling', 'pending', 'submitting')), sum(state = 'submitted'), sum(state = 'completed'),
            sum({TROUBLE}) from jobs where state not in ('gone', 'ignored') group by top order by top
    """,
    "sent_days": """
        select substr(submitted_at, 1, 10) as day, sum(kind = 'image'), sum(kind = 'sequence'),
            sum(iif(kind = 'sequence', frame_count, 0)) from jobs where submitted_at is not null group by day
    """,
    "troubles": f"select state, error_code, count(*) from jobs where {TROUBLE} group by 1, 2 order by 1, 2",
}
PATHS = ("a.jpg", "-.jpg", "cam", "cam/1.jpg", "cam/x/2.jpg", "cam-2/1.jpg", "cam 2/y", "cam.jpg", "é/1.jpg")
CODES = ("", "gaps", "changed", "unreadable", "twins", "FS_0007")


def are_true(sql: sqlite3.Connection) -> None:
    for table, truth in TRUTH.items():
        where = "where images + sequences > 0" if table == "sent_days" else ""
        assert sql.execute(f"select * from {table} {where} order by 1, 2").fetchall() == sql.execute(truth).fetchall()


def test_no_trigger_makes_a_table_of_words_each_time_that_it_runs(ledger: Ledger) -> None:
    triggers = ledger.sql.execute("select name, sql from sqlite_schema where type = 'trigger'").fetchall()
    assert triggers
    assert [name for name, sql in triggers if " in (" in sql] == []


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with contextlib.closing(Ledger(tmp_path / "ledger.db", Clock().now)) as opened:
        yield opened


def put(ledger: Ledger, **columns: Any) -> int:
    """Write a row as it is said, and return its id."""
    given = {
        "path": "a.jpg",
        "kind": "image",
        "state": "pending",
        "frame_count": 1,
        "first_seen_at": "2026-11-28T10:00:00.000Z",
        "updated_at": "2026-11-28T10:00:00.000Z",
        **columns,
    }
    names = ", ".join(given)
    marks = ", ".join("?" * len(given))
    return ledger.sql.execute(f"insert into jobs ({names}) values ({marks})", [*given.values()]).lastrowid or 0


def anything(chance: random.Random) -> dict[str, Any]:
    return {
        "path": chance.choice(PATHS),
        "kind": chance.choice(("image", "sequence")),
        "state": chance.choice([*State]),
        "error_code": chance.choice(CODES),
        "frame_count": chance.randint(0, 20),
        "submitted_at": chance.choice((None, "2026-11-27T23:59:59.999Z", "2026-11-28T00:00:00.000Z")),
    }


def test_they_are_true_after_whatever_is_written(ledger: Ledger) -> None:
    chance = random.Random(7)
    ids: list[int] = []
    for _ in range(1500):
        match chance.random():
            case low if low < 0.3 or not ids:
                ids.append(put(ledger, **anything(chance)))
            case low if low < 0.35:
                ledger.sql.execute("delete from jobs where id = ?", (ids.pop(chance.randrange(len(ids))),))
            case low if low < 0.45:
                ledger.sql.execute("update jobs set state = ?, error_code = ?", (chance.choice([*State]), "gaps"))
            case _:
                changed = anything(chance)
                for name in chance.sample(sorted(changed), chance.randint(0, 5)):
                    del changed[name]
                ledger.set(chance.choice(ids), **changed)
        are_true(ledger.sql)


def test_an_older_ledger_gets_them_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    older_ledgers.make(path, 2000)
    with contextlib.closing(Ledger(path, Clock().now)) as opened:
        are_true(opened.sql)
        assert opened.sql.execute("select count(*) from folder_sums").fetchone() == (10,)


def test_the_step_writes_no_row_of_a_job(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    older_ledgers.make(path, 500)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as sql:
        at = MIGRATIONS.index(kept.m017_kept)
        for step in MIGRATIONS[older_ledgers.VERSION : at]:
            step(sql)
        before = sql.execute("select * from jobs order by id").fetchall()
        kept.m017_kept(sql)
        assert sql.execute("select * from jobs order by id").fetchall() == before
        are_true(sql)


# Lists by pages


@pytest.fixture
def filled(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Looks, list[dict[str, Any]]]]:
    """Rows of all kinds, many at the same moment; a look reads few of them."""
    chance = random.Random(3)
    with ledger.transaction():
        for _ in range(400):
            at = f"2026-11-{chance.choice((27, 28))}T10:00:0{chance.randint(0, 5)}.000Z"
            put(ledger, **{**anything(chance), "updated_at": at})
    monkeypatch.setattr(walks, "MOST", 50)
    with Looks.open(ledger.path) as looks:
        yield looks, looks.jobs()


def all_of(ask: Callable[[Wanted, Key | None, int], Part], wanted: Wanted, limit: int = 7) -> list[int]:
    """Turn the pages to the end, and return the ids in their order."""
    ids, after = [], None
    for _ in range(1000):
        part = ask(wanted, after, limit)
        ids += [row["id"] for row in part.rows]
        assert len(part.rows) <= limit
        after = part.after
        if after is None:
            return ids
    raise AssertionError("it has no end")


def is_below(row: dict[str, Any], folder: str) -> bool:
    return bool(row["folder"] == folder or row["folder"].startswith(f"{folder}/") or row["path"] == folder)


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(),
        Wanted(state="held"),
        Wanted(state="held", code="gaps"),
        Wanted(day="2026-11-27"),
        Wanted(day="2026-11-27", state="settling", code="unreadable"),
        Wanted(folder="cam"),
        Wanted(folder="cam", state="held"),
        Wanted(folder="cam", code="twins", day="2026-11-28"),
        Wanted(folder="cam", code="nothing"),
        Wanted(folder="é"),
        Wanted(state="completed"),
        Wanted(day="tomorrow", state="invalid"),
    ],
    ids=str,
)
def test_each_job_in_trouble_is_on_one_page(filled: tuple[Looks, list[dict[str, Any]]], wanted: Wanted) -> None:
    looks, jobs = filled
    troubled = ("held", "invalid", "failed", "duplicate")
    expected = {
        row["id"]
        for row in jobs
        if (row["state"] in troubled or row["error_code"] in ("twins", "unreadable"))
        and wanted.state in ("", row["state"])
        and wanted.code in (None, row["error_code"])
        and (wanted.day in ("", "tomorrow") or row["updated_at"].startswith(wanted.day))
        and (not wanted.folder or row["path"] == wanted.folder or row["path"].startswith(f"{wanted.folder}/"))
    }
    ids = all_of(looks.troubled, wanted)
    assert len(ids) == len(set(ids))
    assert set(ids) == expected
    at = {row["id"]: (row["updated_at"], row["id"]) for row in jobs}
    assert ids == sorted(ids, key=at.__getitem__, reverse=True)


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(),
        Wanted(state="submitted"),
        Wanted(folder="cam"),
        Wanted(folder="cam", state="held"),
        Wanted(text="CAM"),
        Wanted(text="nothing of the kind"),
        Wanted(text="2/1", state="pending"),
        Wanted(folder="cam", text="x"),
    ],
    ids=str,
)
def test_each_job_that_is_looked_for_is_on_one_page(filled: tuple[Looks, list[dict[str, Any]]], wanted: Wanted) -> None:
    looks, jobs = filled
    expected = {
        row["id"]
        for row in jobs
        if wanted.state in ("", row["state"])
        and wanted.text.lower() in row["path"].lower()
        and (not wanted.folder or (is_below(row, wanted.folder) and row["folder"].startswith(wanted.folder)))
    }
    ids = all_of(looks.found, wanted)
    assert len(ids) == len(set(ids))
    assert set(ids) == expected


def test_a_look_for_what_is_not_there_ends_and_says_where_to_look_on(
    filled: tuple[Looks, list[dict[str, Any]]],
) -> None:
    looks, _ = filled
    part = looks.found(Wanted(text="nothing of the kind"), None, 7)
    assert (part.rows, part.looked) == ([], 50)
    assert part.after is not None


def test_jobs_that_are_looked_for_are_not_sorted_first(filled: tuple[Looks, list[dict[str, Any]]]) -> None:
    looks, _ = filled
    said: list[str] = []
    looks._sql.set_trace_callback(said.append)
    for wanted in (Wanted(), Wanted(state="submitted"), Wanted(folder="cam"), Wanted(folder="cam", text="x")):
        all_of(looks.found, wanted)
    looks._sql.set_trace_callback(None)
    plans = [(asked, row[3]) for asked in said for row in looks._sql.execute(f"explain query plan {asked}")]
    assert any("USING INDEX jobs_folder" in plan for _, plan in plans)
    assert [told for told in plans if "TEMP B-TREE" in told[1]] == []


@pytest.mark.parametrize("text", ["cam/1.jpg", "cam", "17"])
def test_a_job_is_found_by_what_names_it(filled: tuple[Looks, list[dict[str, Any]]], text: str) -> None:
    looks, jobs = filled
    expected = {row["id"] for row in jobs if text in (row["path"], str(row["id"]))}
    assert {row["id"] for row in looks.named(text)} >= expected


def test_folders_are_turned_by_pages_and_looked_for_by_how_they_begin(
    filled: tuple[Looks, list[dict[str, Any]]],
) -> None:
    looks, _ = filled
    names, after = [], None
    while True:
        part = looks.folder_sums(after, 2)
        names += [row["folder"] for row in part.rows]
        if part.after is None:
            break
        after = str(part.after[0])
    assert names == sorted(set(names))
    assert {row["folder"] for row in looks.folder_sums(None, 9, begins="cam").rows} == {
        name for name in names if name.startswith("cam")
    }
    assert all(row["attention"] for row in looks.folder_sums(None, 9, in_trouble=True).rows)


def test_the_usual_time_is_the_median_of_the_last_jobs(ledger: Ledger) -> None:
    for seconds in (10, 20, 90):
        job = put(
            ledger,
            state="completed",
            submitted_at=f"2026-11-28T10:0{seconds // 60}:{seconds % 60:02d}.000Z",
            completed_at="2026-11-28T11:00:00.000Z",
        )
        ledger.record(job, "submitted")
    with Looks.open(ledger.path) as looks:
        assert looks.usual().to_sent == 20
        assert looks.usual().to_annotated == 3580
        assert looks.sent_ever() == {"images": 3, "sequences": 0, "frames": 0}
