"""What users read is what the program does: the queries, settings, commands and the nginx snippet that are shown."""

from __future__ import annotations

import os
import re
import shlex
import sqlite3
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import psycopg
import pytest

from agent.commands import cli
from agent.core.states import State
from agent.fleet.client import Fleet
from agent.fleet.records import Beat
from agent.ledger.upgrade import migrate
from agent.settings.variables import VARIABLES
from tests.documents import FIRST, FOR_USERS, OPERATING, READMES, unknown
from tests.integration.nginx import SNIPPET
from tests.postgres import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres import Postgres, Shared

FLEET_QUERIES = re.findall(r"^fleet=> (.+);\n(.+)\n", OPERATING, flags=re.MULTILINE)
QUERIES = re.findall(r"^sqlite> (.+);\n(.+)\n", FIRST, flags=re.MULTILINE)


def test_the_snippet_for_nginx_is_the_one_that_is_tested() -> None:
    assert f"```nginx\n{SNIPPET}```" in OPERATING


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
    named = set(
        re.findall(
            r"\b((?:PLAYMENT|WATCH|SETTLE|SEQUENCE|IMAGE|PUBLISH|SUBMIT|LEDGER|LABEL_STUDIO)_[A-Z_]+)\b", FOR_USERS
        )
    )
    assert named
    assert named <= {variable.name for variable in VARIABLES}


def test_what_must_be_set_is_the_same_where_it_is_told_in_short() -> None:
    (short,) = re.findall(r"^ {3}```dotenv\n(.*?)^ {3}```$", FIRST, flags=re.MULTILINE | re.DOTALL)
    assert f"```dotenv\n{dedent(short)}```" in OPERATING


def named_commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield what is written as code and calls the agent, also without its name, and its words from the command on."""
    for line in [*re.findall(r"`([^`\n]+)`", text), *text.splitlines()]:
        called = re.match(r"(?:.*[/ ])?playment-agent (?:--env-file \S+ )?([a-z].*)$", line)
        words = (called[1] if called else line).rstrip("`").split()
        if words and words[0] in cli.commands:
            yield line, words


def test_every_command_that_is_named_exists() -> None:
    named = set(re.findall(r"playment-agent (?:--env-file \S+ )?([a-z][a-z-]*)\b", FOR_USERS)) - {"systemd"}
    assert {"demo", "check", "run", "status"} <= named
    assert named <= set(cli.commands)


def test_every_option_of_a_command_that_is_named_exists() -> None:
    assert unknown(["demo", "--s3", "--s4"]) == ["--s4"]
    assert unknown(["fleet", "init", "--json"]) == ["--json"]
    named = [(path, line, words) for path, text in READMES.items() for line, words in named_commands(text)]
    assert {words[0] for _, _, words in named} >= {"demo", "pause", "retry", "run", "sandbox", "status"}
    assert [(path, line, gone) for path, line, words in named if (gone := unknown(words))] == []


def test_every_module_that_is_to_be_run_is_there() -> None:
    named = {name for text in READMES.values() for name in re.findall(r"python -m (tests\.[a-z.]+[a-z])", text)}
    assert named >= {"tests.benchmarks", "tests.layout", "tests.soak"}
    for name in named:
        found = find_spec(name)
        assert found is not None, name
        assert not found.submodule_search_locations or find_spec(f"{name}.__main__"), name


@pytest.mark.parametrize(("query", "columns"), FLEET_QUERIES)
def test_a_query_of_the_fleet_has_the_columns_that_are_shown(shared: Shared, query: str, columns: str) -> None:
    with psycopg.connect(shared.postgres.dsn("fleet_owner", shared.name)) as connection:
        found = connection.execute(query.encode())
        assert [column.name for column in found.description or ()] == columns.split()


def test_there_are_three_of_them() -> None:
    assert len(FLEET_QUERIES) == 3


def test_the_roles_that_are_shown_let_a_host_in(postgres: Postgres) -> None:
    (statements,) = re.findall(r"```sql\n(create role fleet_owner.*?)```", OPERATING, flags=re.DOTALL)
    statements = (
        statements.replace("…", PASSWORD).replace(" fleet ", " readme ").replace("database fleet", "database readme")
    )
    kept = [("fleet_owner", "kept_owner"), ("playment_agent", "kept_agent")]
    for role, aside in kept:
        postgres.sql(f"alter role {role} rename to {aside}")
    try:
        for statement in filter(str.strip, statements.split(";")):
            postgres.sql(statement)
        (init,) = re.findall(r"^(FLEET_DSN=.+ fleet init)$", OPERATING, flags=re.MULTILINE)
        init = init.replace("postgresql://fleet_owner:…@db/fleet", shlex.quote(postgres.dsn("fleet_owner", "readme")))
        init = init.replace("/opt/playment-agent/bin", str(Path(sys.executable).parent))
        subprocess.run(["sh", "-c", init], env={"PATH": os.environ["PATH"]}, check=True, timeout=60)
        host = Fleet(postgres.dsn("cam_01", "readme"), "p", "cam_01")
        assert host.beat(Beat("1", {})).must_mirror
        host.close()
    finally:
        postgres.sql("drop database if exists readme with (force)")
        postgres.sql("drop role if exists cam_01, fleet_owner, playment_agent")
        for role, aside in kept:
            postgres.sql(f"alter role {aside} rename to {role}")


def test_every_state_is_explained() -> None:
    assert all(f"`{state}`" in FIRST for state in State)
