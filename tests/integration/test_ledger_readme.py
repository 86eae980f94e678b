"""What the ledger's README tells of tables, views, columns, states and keys is what a fresh ledger has."""

from __future__ import annotations

import ast
import contextlib
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from agent.core.states import State
from agent.ledger.store import Ledger, iso
from agent.ledger.world import WORLD_HINT
from tests.layout import PACKAGE, modules
from tests.sending import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

README = (PACKAGE / "ledger" / "README.md").read_text(encoding="utf-8")
TABLE = README.partition("## Tables and views")[2].partition("\n## ")[0].strip().splitlines()[2:]
CELLS = [[cell.strip() for cell in row.strip("|").split("|")] for row in TABLE]
TOLD = {(where.strip("`"), column.strip("`") or None): (kind, means) for where, column, kind, means in CELLS}

# What nobody may rely on; all else stays.
INTERNAL_TABLES = {
    "counts",
    "spend",
    "seen",
    "listed",
    "event_log",
    "frame_rows",
    "folder_sums",
    "sent_days",
    "troubles",
}
INTERNAL_COLUMNS = {
    ("jobs", "folder"),
    ("jobs", "unanswered"),
    ("jobs", "trying_since"),
    ("jobs", "lookup"),
    ("jobs", "fetches"),
    ("jobs", "spent_for"),
    ("jobs", "deleted_at"),
    ("jobs", "look_again_at"),
    ("jobs", "name"),
    ("frames", "ctime_ns"),
    ("frames", "inode"),
}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with contextlib.closing(Ledger(tmp_path / "ledger.db", Clock().now)) as opened:
        yield opened


def _schema(ledger: Ledger) -> dict[tuple[str, str | None], str]:
    """Return what is there: tables, views and columns, each with its type, '' where SQLite knows none."""
    there: dict[tuple[str, str | None], str] = {}
    for name, kind in ledger.sql.execute(
        "select name, type from sqlite_master where type in ('table', 'view') and name not like 'sqlite_%'"
    ).fetchall():
        there[name, None] = kind
        for _, column, declared, not_null, _, key, _ in ledger.sql.execute(f"pragma table_xinfo({name})"):
            may_be_null = kind == "table" and not not_null and not key
            there[name, column] = declared.lower() + (" or null" if may_be_null else "")
    return there


def test_every_table_view_and_column_is_told_and_no_other(ledger: Ledger) -> None:
    assert len(TABLE) == len(TOLD)
    assert TOLD.keys() == _schema(ledger).keys()


def test_the_types_are_right(ledger: Ledger) -> None:
    schema = _schema(ledger)
    wrong = {
        place: (kind, schema[place]) for place, (kind, _) in TOLD.items() if schema[place] and kind != schema[place]
    }
    assert wrong == {}


def test_the_columns_stand_in_their_order(ledger: Ledger) -> None:
    for name in {place[0] for place in TOLD}:
        assert [place for place in TOLD if place[0] == name] == [place for place in _schema(ledger) if place[0] == name]


def test_what_is_internal_is_marked() -> None:
    marked = {place for place, (_, means) in TOLD.items() if means.startswith("internal: ")}
    assert marked == INTERNAL_COLUMNS | {place for place in TOLD if place[0] in INTERNAL_TABLES}


def test_every_column_that_is_named_for_a_time_is_told_to_be_one() -> None:
    times = {place for place in TOLD if place[1] and re.search(r"(^|_)at$|_since$", place[1])}
    assert {place for place in times if not re.search(r"\ba time\b", TOLD[place][1])} == set()


def test_the_example_of_a_time_is_as_times_are_written() -> None:
    (example,) = re.findall(r"as `(\d{4}-\d\d-\d\dT\S+)`", README)
    assert example == iso(datetime.fromisoformat(example).astimezone(UTC))


def test_every_state_is_told() -> None:
    states = README.partition("## States")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", states, flags=re.MULTILINE) == [*State]


def test_every_key_of_the_agent_is_told_and_no_other() -> None:
    rows = re.findall(r"^\| (`[^|]+`) \|", README.partition("## What the agent says")[2], flags=re.MULTILINE)
    assert {key for row in rows for key in re.findall(r"`(\w+)`", row)} == _keys_written()


def _keys_written() -> set[str]:
    """Return what the source puts into the table `agent`: by name, and what a ledger is bound to."""
    calls = (node for module in modules() for node in ast.walk(ast.parse(module.source)) if isinstance(node, ast.Call))
    return {*WORLD_HINT} | {
        keyword.arg
        for call in calls
        if ast.unparse(call.func) == "ledger.put"
        for keyword in call.keywords
        if keyword.arg is not None
    }
