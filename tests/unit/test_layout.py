"""Who may import whom: none one beside or above it. Only `ledger` speaks SQL, and `fleet` with PostgreSQL."""

from __future__ import annotations

import pytest

from tests.layout import LAYERS, LEVEL, PACKAGE, Module, arrows, figures, floors, modules

MOST_ROOMS = 24
MOST_ARROWS = 126
MOST_FLOORS = 9
MOST_LINES = 300
SPEAK_SQL = {"ledger", "fleet"}
KNOW_SETTINGS = {"commands", "reporting", "demo", "service", "settings"}


def test_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    graph = arrows()
    with capsys.disabled():
        print(f"\n{figures()}")  # noqa: T201 (what a person looks for, also where nothing fails)
    assert len(graph) <= MOST_ROOMS
    assert sum(map(len, graph.values())) <= MOST_ARROWS
    assert floors({room: others for room, others in graph.items() if room != "__main__"}) <= MOST_FLOORS


def test_no_module_is_too_long_to_be_read_at_once() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {path.name: length for path, length in lengths.items() if length > MOST_LINES} == {}


def test_every_room_has_its_place() -> None:
    assert set(arrows()) == set(LEVEL)
    assert sum(map(len, LAYERS)) == len(LEVEL)


def test_nothing_else_lies_at_the_top() -> None:
    others = {path.name for path in PACKAGE.iterdir() if path.stem not in LEVEL}
    assert others <= {"__init__.py", "__pycache__", "README.md", "py.typed"}


def test_imports_run_downwards_only() -> None:
    broken = {
        (module.name, other)
        for module in modules()
        for other in module.imported_rooms()
        if LEVEL[other] <= LEVEL[module.room]
    }
    assert broken == set()


def test_stages_are_handed_what_they_need_and_never_the_settings() -> None:
    assert {module.room for module in modules() if "settings" in module.imported_rooms()} <= KNOW_SETTINGS


def test_only_the_ledger_and_the_fleet_speak_sql() -> None:
    speak = {module.name: found for module in modules() if module.room not in SPEAK_SQL and (found := module.sql())}
    assert speak == {}


def test_only_the_fleet_knows_postgresql() -> None:
    knows = {module.room for module in modules() for name in module.imports() if name.split(".")[0] == "psycopg"}
    assert knows == {"fleet"}


@pytest.mark.parametrize(
    "source",
    [
        "import sqlite3",
        "import sqlite_utils.db",
        "import psycopg",
        "from sqlite3 import Error",
        "if TYPE_CHECKING:\n    import sqlite3",
        "ledger.sql",
        "reads.execute",
        "'select 1 from jobs'",
        "'SELECT\\n*\\nFROM jobs'",
        "f'select {columns} from {table}'",
        "'insert into jobs values (1)'",
        "'insert or replace into jobs values (1)'",
        "f'update jobs set {name} = ?'",
        "'delete from jobs'",
        "'pragma user_version'",
        "def ask():\n    '''Return what `select * from status` says.'''",
    ],
)
def test_what_speaks_sql_is_found(source: str) -> None:
    assert Module("noticing/detector", source).sql() != []


@pytest.mark.parametrize(
    "source",
    [
        "import sqlalchemy_is_not_named",
        "'Select a folder, and update what is set below it.'",
        "'deleted from here; inserted into that'",
        "reads.newest(unit)",
        "ledger.move(job, now, then)",
    ],
)
def test_what_speaks_none_passes(source: str) -> None:
    assert Module("noticing/detector", source).sql() == []


def test_a_circle_is_found() -> None:
    with pytest.raises(ValueError, match="cycle"):
        floors({"a": {"b"}, "b": {"c"}, "c": {"a"}})


def test_no_class_has_more_than_eight_collaborators() -> None:
    many = {
        f"{module.name}: {name}": count for module in modules() for name, count in module.collaborators() if count > 8
    }
    assert many == {}
