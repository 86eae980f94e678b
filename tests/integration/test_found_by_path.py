"""A job is found by its path alone, and what is in a folder by its names, however old the ledger is."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.ledger import seen
from agent.ledger.migrations import MIGRATIONS
from agent.ledger.seen import Span
from agent.ledger.store import Ledger
from agent.ledger.upgrade import migrate
from agent.model import Kind, folder_of, join
from agent.model.units import UnitKey
from tests.sending import Clock

if TYPE_CHECKING:
    from pathlib import Path

README = "select path, frame_count, reference_id, job_id from jobs where path = 'cam/b.jpg'"
PATHS = (
    ("b.jpg", "image"),
    ("cam/b.jpg", "image"),
    ("cam", "sequence"),
    ("cam/sub/b.jpg", "image"),
    ("cam-2", "sequence"),
)
NAMES = st.text("ab!.-é~", min_size=1, max_size=3)
UNITS = st.lists(st.tuples(st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.sampled_from(Kind)), max_size=12)


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS) + 1))
def test_every_earlier_version_answers_by_the_index(tmp_path: Path, version: int) -> None:
    path = tmp_path / "ledger.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.execute("begin")
        for step in MIGRATIONS[:version]:
            step(old)
        old.execute(f"pragma user_version = {version}")
        stored = "folder" in [row[1] for row in old.execute("pragma table_info (jobs)")]
        for unit, kind in PATHS:
            row = {"path": unit, "kind": kind, "state": "settling", "first_seen_at": "", "updated_at": ""}
            row |= {"folder": folder_of(unit, Kind(kind))} if stored else {}
            marks = ", ".join("?" * len(row))
            old.execute(f"insert into jobs ({', '.join(row)}) values ({marks})", tuple(row.values()))
        old.execute("commit")
    with contextlib.closing(Ledger(path, Clock().now)) as ledger:
        assert [row[0] for row in ledger.sql.execute(README)] == ["cam/b.jpg"]
        assert _plan(ledger, README) == ["SEARCH jobs USING INDEX jobs_path (path=?)"]
        names = dict(ledger.sql.execute("select path, name from jobs"))
        assert names == {unit: "" if kind == "sequence" else unit.rpartition("/")[2] for unit, kind in PATHS}


def test_a_span_of_a_folder_is_looked_up_from_its_first_to_its_last_name(tmp_path: Path) -> None:
    with contextlib.closing(Ledger(tmp_path / "ledger.db", Clock().now)) as ledger:
        asked: list[str] = []
        ledger.sql.set_trace_callback(asked.append)
        seen.images_in(ledger.sql, "cam", Span("cam/a.jpg", "cam/b.jpg"))
        seen.listed_in(ledger.sql, "cam", Span("cam/a.jpg", "cam/b.jpg"))
        ledger.sql.set_trace_callback(None)
        steps = [step for query in asked for step in _plan(ledger, query) if step.startswith("SEARCH jobs USING")]
        assert steps == ["SEARCH jobs USING INDEX jobs_folder (folder=? AND name>? AND name<?)"] * 2


@given(UNITS, st.lists(NAMES, max_size=4))
def test_the_spans_of_a_folder_show_each_of_its_units_once(units: list[tuple[str, Kind]], cuts: list[str]) -> None:
    sql = sqlite3.connect(":memory:", isolation_level=None)
    with contextlib.closing(sql):
        migrate(sql)
        insert = "insert into jobs (path, kind, state, first_seen_at, updated_at) values (?, ?, 'settling', '', '')"
        sql.executemany(insert, dict.fromkeys(units))
        for folder in {"", *(folder_of(*unit) for unit in units)}:
            marks = [join(folder, cut) for cut in sorted(set(cuts), key=str.encode)]
            ends: list[str | bytes] = [*marks, b""]
            spans = [Span(*span) for span in zip(["", *marks], ends, strict=True)]
            here = {UnitKey(*unit) for unit in units if folder_of(*unit) == folder}
            found = [unit for span in spans for unit in seen.listed_in(sql, folder, span)]
            assert sorted(found, key=str) == sorted(here, key=str)
            images = [path for span in spans for path in seen.images_in(sql, folder, span)]
            assert sorted(images) == sorted(path for path, kind in here if kind is Kind.IMAGE)
            for span in spans:
                assert all(span.after < path for path, _ in seen.listed_in(sql, folder, span))


def _plan(ledger: Ledger, query: str) -> list[str]:
    return [row[3] for row in ledger.sql.execute(f"explain query plan {query}")]
