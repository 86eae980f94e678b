"""What may befall a fleet's database, as a running agent meets it: it sends nothing meanwhile, says so, and goes on."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
import pytest

from agent.fleet import client
from agent.fleet.records import SCHEMA
from agent.service import membership
from tests.faults.test_fleet_agents import claims, fleet_environ, ids, joined
from tests.faults.test_fleet_database import certified
from tests.postgres import MISSING, Postgres, programs
from tests.support import Agent, Playment, command, eventually, image, query, used_ledger, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres import Shared

pytestmark = pytest.mark.timeout(240)
SECONDS = 60.0


@pytest.fixture
def playment() -> Iterator[Playment]:
    with Playment() as server:
        yield server


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Give the folder of a host that has one image."""
    found = tmp_path / "cam_a"
    write(found / "inbox" / "first.jpg", image(1))
    return found


def sends(agent: Agent, name: str) -> None:
    agent.becomes(name, "submitted", seconds=SECONDS)


def waits(agent: Agent, words: str) -> None:
    """Wait until it says why nothing is sent."""
    eventually(lambda: words in agent.value("fleet"), SECONDS)


def outages(agent: Agent) -> int:
    return len(query(agent.settings.ledger_path, "select 1 from events where event = 'outage'"))


def drop(agent: Agent, name: str, seed: int) -> None:
    write(agent.inbox / name, image(seed))


def today(shared: Shared) -> int:
    (found,) = shared.sql("select jobs from fleet.fleet_today")
    return int(found)


def test_a_backup_that_is_restored_is_told_first(place: Path, playment: Playment, shared: Shared) -> None:
    with joined(place, playment, shared) as agent:
        sends(agent, "first.jpg")
        eventually(lambda: len(claims(shared)) == 1)
        backup = shared.dump()
        drop(agent, "after.jpg", 2)
        sends(agent, "after.jpg")
        eventually(lambda: len(claims(shared)) == 2)
        numbers = "select number from fleet.fleet_hosts"
        (number,) = shared.sql(numbers)
        eventually(lambda: shared.sql(numbers)[0] > number, SECONDS)  # it has given a sign of life since the backup
        shared.restore(backup)
        drop(agent, "then.jpg", 3)
        sends(agent, "then.jpg")
        eventually(lambda: claims(shared) == ids(playment), SECONDS)
    assert len(playment.receipts) == len(playment.jobs) == today(shared) == 3


def test_an_empty_database_is_told_first(place: Path, playment: Playment, shared: Shared) -> None:
    with joined(place, playment, shared) as agent:
        sends(agent, "first.jpg")
        shared.sql("drop schema fleet cascade")
        drop(agent, "then.jpg", 2)
        waits(agent, "has no tables of ours")
        agent.becomes("then.jpg", "pending")
        shared.create()
        sends(agent, "then.jpg")
        eventually(lambda: claims(shared) == ids(playment), SECONDS)
    assert len(playment.receipts) == len(playment.jobs) == today(shared) == 2


def test_no_connection_left_for_it(place: Path, playment: Playment, shared: Shared) -> None:
    postgres = shared.postgres
    postgres.sql("alter role cam_a connection limit 0")
    try:
        with joined(place, playment, shared) as agent:
            agent.becomes("first.jpg", "pending")
            waits(agent, "no connection left")
            assert playment.receipts == []
            assert (
                agent.value("paused_why")
                == "this ledger is new, and the fleet, which is asked first, has not answered yet"
            )
            postgres.sql("alter role cam_a connection limit -1")
            sends(agent, "first.jpg")
            assert agent.value("paused_why") == ""
    finally:
        postgres.sql("alter role cam_a connection limit -1")


def test_a_long_transaction_of_somebody_else_is_one_outage(place: Path, playment: Playment, shared: Shared) -> None:
    with joined(place, playment, shared) as agent:
        sends(agent, "first.jpg")
        eventually(lambda: claims(shared) == ids(playment), SECONDS)  # so that it is the next grant that fails
        with psycopg.connect(shared.postgres.dsn(database=shared.name)) as somebody:
            somebody.execute("select * from fleet.fleet_budget for update")
            drop(agent, "then.jpg", 2)
            waits(agent, "somebody else's transaction")
            since, told = agent.value("fleet_since"), outages(agent)
            count = "select count(*) from pg_stat_activity where usename = 'cam_a' and wait_event_type = 'Lock'"
            for _ in range(2):  # it asks, and is told again
                eventually(lambda: shared.postgres.sql(count) == [1])
                eventually(lambda: shared.postgres.sql(count) == [0])
            assert (agent.value("fleet_since"), outages(agent)) == (since, told)
            assert "somebody else's transaction" in agent.value("fleet")
            agent.becomes("then.jpg", "pending")
            somebody.rollback()
        sends(agent, "then.jpg")
        eventually(lambda: not agent.value("fleet"))
        assert outages(agent) == told + 1
    assert len(playment.receipts) == 2


def test_a_newer_database_serves_an_older_agent_or_says_that_it_does_not(
    place: Path, playment: Playment, shared: Shared
) -> None:
    shared.sql("update fleet.fleet_meta set version = 99")
    given = fleet_environ(place, playment, shared)
    with joined(place, playment, shared) as agent:
        sends(agent, "first.jpg")
        shared.sql("update fleet.fleet_meta set serves = 98")
        drop(agent, "then.jpg", 2)
        waits(agent, "has a schema that this playment-agent does not know")
        assert command("status", environ=given, cwd=place).returncode == 3
        assert command("check", environ=given, cwd=place).returncode == 3
        shared.sql(f"update fleet.fleet_meta set serves = {SCHEMA}")
        sends(agent, "then.jpg")


def test_a_newer_agent_waits_for_the_database_to_be_brought_up_to_date(
    place: Path, playment: Playment, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "SCHEMA", 99)
    with joined(place, playment, shared) as agent:
        agent.becomes("first.jpg", "pending")
        waits(agent, "its owner must run 'playment-agent fleet init'")
        assert playment.receipts == []
        shared.sql("update fleet.fleet_meta set version = 99")
        sends(agent, "first.jpg")


@pytest.mark.skipif(programs() is None, reason=MISSING)
def test_tls_is_checked_before_a_word_is_said(place: Path, tmp_path: Path, playment: Playment) -> None:
    made, root = certified(tmp_path)
    (tmp_path / "other").mkdir()
    _, other = certified(tmp_path / "other")
    with Postgres("-c", "fsync=off") as server, contextlib.ExitStack() as stack:
        for end in (".crt", ".key"):
            server.file(f"server{end}", made.with_suffix(end).read_text())
        server.stop()
        server.start("-c", "ssl=on", "-c", f"ssl_cert_file={server.folder}/server.crt",
                     "-c", f"ssl_key_file={server.folder}/server.key")  # fmt: skip
        shared = stack.enter_context(server.shared())

        def agent_with(authority: Path) -> Agent:
            found = joined(place, playment, shared).settings
            dsn = server.dsn("cam_a", shared.name, sslmode="verify-full", sslrootcert=str(authority))
            return Agent(replace(found, fleet_dsn=type(found.playment_api_key)(dsn)))

        with agent_with(other) as agent:
            agent.becomes("first.jpg", "pending")
            waits(agent, "has a certificate that is not to be trusted")
            assert playment.receipts == []
        with agent_with(root) as agent:
            sends(agent, "first.jpg")
        assert shared.sql("select host from fleet.fleet_hosts") == ["cam_a"]


def test_two_agents_of_one_name_are_told_so_and_pay_for_nothing_twice(
    place: Path, playment: Playment, shared: Shared, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(membership, "BEAT_SECONDS", 0.2)
    twin = place.parent / "twin" / "cam_a"
    write(twin / "inbox" / "first.jpg", image(1))
    used_ledger(twin)  # a new one would be paused: the fleet knows jobs of its name
    with joined(place, playment, shared) as agent:
        sends(agent, "first.jpg")
        numbers = "select number from fleet.fleet_hosts"
        (number,) = shared.sql(numbers)
        eventually(lambda: shared.sql(numbers)[0] > number + 10)
        assert "FLEET_HOST" not in caplog.text
        with joined(twin, playment, shared) as other:
            sends(other, "first.jpg")
            eventually(lambda: caplog.text.count("another agent is in the fleet as cam_a, too") == 2)
    assert len(playment.jobs) == 1
