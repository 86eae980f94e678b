"""What the README shows is what the program does: its queries, settings, commands and the nginx snippet."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from agent.commands import cli
from agent.core.states import State
from agent.ledger.upgrade import migrate
from agent.settings.variables import VARIABLES
from tests.integration.nginx import SNIPPET

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"^sqlite> (.+);\n(.+)\n", README, flags=re.MULTILINE)


def test_it_can_be_read_in_one_sitting() -> None:
    assert 100 <= len(README.splitlines()) <= 250


def test_the_snippet_for_nginx_is_the_one_that_is_tested() -> None:
    assert f"```nginx\n{SNIPPET}```" in README


@pytest.mark.parametrize(("query", "columns"), QUERIES)
def test_a_query_has_the_columns_that_are_shown(query: str, columns: str) -> None:
    sql = sqlite3.connect(":memory:", isolation_level=None)
    try:
        migrate(sql)
        assert [column[0] for column in sql.execute(query).description] == columns.split()
    finally:
        sql.close()


def test_there_are_five_queries() -> None:
    assert len(QUERIES) == 5


def test_every_setting_that_is_named_exists() -> None:
    named = set(re.findall(r"\b((?:PLAYMENT|WATCH|SETTLE|SEQUENCE|IMAGE|PUBLISH|SUBMIT|LEDGER)_[A-Z_]+)\b", README))
    assert named
    assert named <= {variable.name for variable in VARIABLES}


def test_every_command_that_is_named_exists() -> None:
    named = set(re.findall(r"playment-agent (?:--env-file \S+ )?([a-z]+)\b", README)) - {"systemd"}
    assert {"demo", "check", "run", "status"} <= named
    assert named <= set(cli.commands)


def test_every_state_is_explained() -> None:
    assert all(f"`{state}`" in README for state in State)
