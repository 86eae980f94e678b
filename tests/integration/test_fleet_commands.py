"""`fleet init`, `fleet status`, `fleet forget`, `pause --fleet`, and what `check` says of the fleet's database."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from agent.commands import cli
from agent.core.grants import Asked, Say
from agent.core.spend_guard import Limits
from agent.fleet.records import SCHEMA, Beat, Budget
from agent.host import mounts
from agent.reporting.checks import Level
from agent.reporting.checks.fleet import check_fleet
from tests.postgres import PASSWORD
from tests.support import environ, settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.postgres import Postgres, Shared

NOWHERE = "http://127.0.0.1:9"
PROJECT = "p1"


@pytest.fixture
def say(tmp_path: Path, shared: Shared) -> Callable[..., tuple[int, str]]:
    """Give what runs a command as a role of the database."""

    def run(*arguments: str, role: str = "cam_a", **changed: str) -> tuple[int, str]:
        dsn = shared.postgres.dsn(role, shared.name)
        told = CliRunner().invoke(
            cli, arguments, env=environ(tmp_path, NOWHERE, FLEET_DSN=dsn, FLEET_HOST=role) | changed
        )
        assert told.exception is None or isinstance(told.exception, SystemExit), told.exception
        assert PASSWORD not in told.output
        return told.exit_code, told.output

    return run


def test_init_creates_it_and_then_finds_it_up_to_date(
    say: Callable[..., tuple[int, str]], shared: Shared, postgres: Postgres
) -> None:
    with postgres.shared(empty=True) as empty:
        owner = {"FLEET_DSN": postgres.dsn("fleet_owner", empty.name)}
        code, said = say("fleet", "init", **owner)
        assert (code, said.splitlines()) == (
            0,
            [
                f"the fleet's database is made (schema version {SCHEMA}), and belongs to fleet_owner",
                "a host is let in by: create role HOST login password '…' in role playment_agent",
            ],
        )
        assert say("fleet", "init", **owner)[1].startswith("the fleet's database is up to date")
    code, said = say("fleet", "init")
    assert code == 3
    assert "belongs to fleet_owner, not to cam_a: run 'fleet init' as that" in said
    code, said = say("fleet", "init", role="postgres")
    assert "better is an owner that is none" in said


def test_init_needs_the_address_alone(tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "owner.dsn"
    with postgres.shared(empty=True) as empty:
        file.write_text(postgres.dsn("fleet_owner", empty.name))
        told = CliRunner().invoke(cli, ["fleet", "init"], env={"FLEET_DSN_FILE": str(file)})
        assert (told.exit_code, told.output.splitlines()[0]) == (
            0, f"the fleet's database is made (schema version {SCHEMA}), and belongs to fleet_owner"
        )  # fmt: skip
    told = CliRunner().invoke(cli, ["fleet", "init"], env={"FLEET_DSN_FILE": str(tmp_path / "nowhere")})
    assert (told.exit_code, "cannot be read" in told.output) == (2, True)


def test_without_an_address_there_is_no_fleet(say: Callable[..., tuple[int, str]]) -> None:
    for words in (("fleet", "init"), ("fleet", "status"), ("pause", "--fleet")):
        code, said = say(*words, FLEET_DSN="")
        assert code == 2
        assert "FLEET_DSN is not set" in said


def test_status_shows_the_hosts_and_what_is_left_today(say: Callable[..., tuple[int, str]], shared: Shared) -> None:
    assert say("fleet", "status") == (0, "no host has been heard of yet\n")
    host = shared.joined("cam_a", project=PROJECT)
    host.budget = Budget(300, Limits(jobs=150))
    host.ask([Asked("r", 12)])
    host.beat(Beat("1.2", {"pending": 1, "submitted": 2000}))
    code, said = say("fleet", "status")
    assert code == 0
    lines = said.splitlines()
    assert lines[1].split("\t") == ["cam_a", "0", "1.2", "0", "1", "2000", "0", ""]
    assert lines[3].endswith(": 1 jobs (149 of 150 left), 12 frames (no limit)")
    assert lines[4] == "1 claims are open; 300 jobs a minute"
    code, said = say("fleet", "status", "--json")
    assert json.loads(said)["today"]["jobs"] == 1
    assert json.loads(said)["hosts"][0]["sent"] == 2000
    host.hold(90)
    host.block("the key is refused")
    code, said = say("fleet", "status")
    assert code == 3
    assert "HELD: the target has asked for 90 s" in said
    assert said.splitlines()[-1] == "\tblocked\tthe key is refused"


def test_all_hosts_are_paused_from_one_and_go_on(say: Callable[..., tuple[int, str]], shared: Shared) -> None:
    host = shared.joined("cam_b", project=PROJECT)
    paused = "sending from all hosts of the fleet is paused; noticing goes on"
    assert say("pause", "--fleet") == (0, f"{paused}\n")
    assert say("pause", "--fleet") == (0, f"{paused} (as before)\n")
    assert [each.say for each in host.ask([Asked("r", 1)])] == [Say.SHUT]
    assert say("fleet", "status")[0] == 1
    assert say("resume", "--fleet") == (0, "sending from all hosts of the fleet goes on\n")
    assert [each.say for each in host.ask([Asked("r", 1)])] == [Say.GO]


def test_only_the_owner_forgets_a_host_that_is_dead(say: Callable[..., tuple[int, str]], shared: Shared) -> None:
    shared.joined("cam_b", project=PROJECT)
    code, said = say("fleet", "forget", "cam_b", role="fleet_owner")
    assert (code, said) == (3, "playment-agent: the host is alive: stop its agent first, and wait a minute\n")
    shared.sql("update fleet.fleet_hosts set heartbeat_at = now() - interval '2 minutes'")
    assert say("fleet", "forget", "cam_b")[0] == 3
    assert say("fleet", "forget", "cam_b", role="fleet_owner") == (
        0, "cam_b is forgotten; what it had claimed is free\n",
    )  # fmt: skip
    assert say("fleet", "status")[1].splitlines()[0] == "no host has been heard of yet"


def test_a_database_that_is_away_is_one_sentence(say: Callable[..., tuple[int, str]], shared: Shared) -> None:
    code, said = say("fleet", "status", FLEET_DSN=shared.postgres.dsn("cam_a", port="1"))
    assert code == 1
    assert said.startswith("playment-agent: the fleet's database does not answer (")
    assert len(said.splitlines()) == 1


class TestCheck:
    def found(self, place: Path, shared: Shared, role: str = "cam_a", *, ahead: float = 0.0, **more: str) -> list[str]:
        dsn = shared.postgres.dsn(role, shared.name, **more)
        asked = settings(place, NOWHERE, FLEET_DSN=dsn, FLEET_HOST="cam_a")
        (now,) = shared.postgres.sql("select extract(epoch from clock_timestamp())")
        found = list(check_fleet(asked, lambda: float(now) + ahead))
        assert {each.part for each in found} == {"fleet"}
        assert not any(PASSWORD in each.text for each in found)
        return [f"{each.level} {each.text}" for each in found]

    def test_all_is_well_and_nothing_is_changed(self, tmp_path: Path, shared: Shared) -> None:
        found = self.found(tmp_path, shared)
        assert len(found) == 1
        assert found[0].startswith(f"{Level.OK} PostgreSQL 1")
        assert found[0].endswith(f"schema version {SCHEMA}, lets cam_a in")
        assert shared.sql("select * from fleet.fleet_hosts") == []

    def test_without_a_fleet_nothing_is_said(self, tmp_path: Path) -> None:
        assert list(check_fleet(settings(tmp_path, NOWHERE), lambda: 0.0)) == []

    def test_rights(self, tmp_path: Path, shared: Shared) -> None:
        shared.joined("cam_a", role="cam_b", project=PROJECT)
        shared.joined("other", role="cam_a", project=PROJECT)
        _, taken, shares = self.found(tmp_path, shared)
        assert taken.startswith(f"{Level.FAIL} the name cam_a belongs to another role than cam_a")
        assert shares.startswith(f"{Level.WARN} other hosts use the role cam_a")
        assert any(
            "fleet_owner may write the fleet's tables" in each for each in self.found(tmp_path, shared, "fleet_owner")
        )

    def test_clock(self, tmp_path: Path, shared: Shared) -> None:
        assert "500 s ahead of" in self.found(tmp_path, shared, ahead=500)[1]
        assert "500 s behind" in self.found(tmp_path, shared, ahead=-500)[1]

    def test_version(self, tmp_path: Path, shared: Shared) -> None:
        shared.sql("update fleet.fleet_meta set version = 9, serves = 8")
        assert self.found(tmp_path, shared)[0].startswith(f"{Level.FAIL} the fleet's database has schema version 9 and")

    def test_two_hosts_on_one_folder(self, tmp_path: Path, shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(mounts, "shared_place", lambda _path: "nfs4 nas:/inbox /")
        assert "no other host of the fleet watches this folder (nfs4 nas:/inbox /)" in self.found(tmp_path, shared)[1]
        shared.joined("cam_b", project=PROJECT, folder="nfs4 nas:/inbox /")
        assert "cam_b watch the same folder" in self.found(tmp_path, shared)[1]

    def test_what_needs_attention(self, tmp_path: Path, shared: Shared) -> None:
        shared.joined("cam_b", project=PROJECT).block("the key is refused")
        assert self.found(tmp_path, shared)[1] == f"{Level.WARN} all: blocked: the key is refused"

    @pytest.mark.parametrize(
        ("more", "words"),
        [
            ({"password": "wrong"}, "refuses the password"),
            ({"port": "1"}, "does not answer"),
            ({"dbname": "postgres"}, "no tables of ours"),
        ],
    )
    def test_it_cannot_be_asked(self, tmp_path: Path, shared: Shared, more: dict[str, str], words: str) -> None:
        (found,) = self.found(tmp_path, shared, ahead=0.0, **more)
        assert found.startswith(f"{Level.FAIL} the fleet's database")
        assert words in found
        assert found.endswith("while it is so, nothing new is sent")
