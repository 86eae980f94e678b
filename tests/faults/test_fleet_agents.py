"""Real agents that share a real PostgreSQL: each unit becomes one job, whoever is killed, and while nobody can ask.

The long form has 400 units a folder, four hosts for the kills, and an old ledger of 10,000 jobs:
`python -m tests.soak fleet_agents`.
"""

from __future__ import annotations

import contextlib
import random
import signal
import sqlite3
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from agent.sandbox import Faults
from tests.postgres import PASSWORD
from tests.soak import LONG
from tests.support import Agent, Playment, command, environ, eventually, frames, image, process, query, settings, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from subprocess import Popen

    from tests.postgres import Shared

UNITS = 400 if LONG else 40
QUIET_SECONDS = 1.0
OLD = 10_000 if LONG else 40
SEQUENCES = 4
SECONDS = 600.0 if LONG else 60.0

pytestmark = pytest.mark.timeout(1800 if LONG else 240)


@pytest.fixture
def playment() -> Iterator[Playment]:
    with Playment() as server:
        yield server


def place_of(root: Path, name: str, *, seed: int, count: int = UNITS) -> Path:
    """Fill the folder of a host: with the same seed it holds the same as that of another."""
    place = root / name
    inbox = place / "inbox"
    for number in range(count - SEQUENCES):
        write(inbox / f"{number:04}.jpg", image(seed + number))
    for number in range(SEQUENCES):
        frames(inbox / f"drive_{number}", 3, seed=seed + number)
    return place


def fleet_environ(place: Path, server: Playment, shared: Shared, **changed: str) -> dict[str, str]:
    role = place.name
    dsn = shared.postgres.dsn(role, shared.name)
    return environ(place, server.url, FLEET_DSN=dsn, FLEET_HOST=role, **changed)


def joined(place: Path, server: Playment, shared: Shared, **changed: str) -> Agent:
    found = settings(place, server.url, **{key: value for key, value in changed.items() if not key.startswith("FLEET")})
    return Agent(
        replace(found, fleet_dsn=type(found.playment_api_key)(shared.postgres.dsn(place.name, shared.name)),
                fleet_host=place.name)
    )  # fmt: skip


def jobs(ledger: Path) -> dict[str, str]:
    return {row["reference_id"]: row["job_id"] for row in query(ledger, "select reference_id, job_id from jobs")}


def count_of(ledger: Path, where: str) -> int:
    """Return how many jobs are so; none while the ledger is being made."""
    with contextlib.suppress(sqlite3.OperationalError):
        return int(query(ledger, f"select count(*) as n from jobs where {where}")[0]["n"])
    return 0


def is_done(ledger: Path, count: int = UNITS) -> bool:
    return count_of(ledger, "state = 'submitted' and job_id is not null") == count


def ids(server: Playment) -> dict[str, str]:
    return {job.reference_id: job.job_id for job in server.jobs}


def claims(shared: Shared) -> dict[str, str]:
    return dict(shared.sql("select reference_id, job_id from fleet.fleet_claims where job_id is not null"))


def test_two_agents_see_the_same_and_make_one_post_of_each(tmp_path: Path, playment: Playment, shared: Shared) -> None:
    places = [place_of(tmp_path, name, seed=0) for name in ("cam_a", "cam_b")]
    with contextlib.ExitStack() as stack:
        for place in places:
            stack.enter_context(joined(place, playment, shared))
        eventually(lambda: all(is_done(place / "ledger.db") for place in places), SECONDS)
        eventually(lambda: len(claims(shared)) == UNITS)
    assert len(playment.receipts) == len(playment.jobs) == UNITS  # no duplicate was ever refused
    assert jobs(places[0] / "ledger.db") == jobs(places[1] / "ledger.db") == ids(playment) == claims(shared)
    hosts = dict(shared.sql("select host, sent from fleet.fleet_status"))
    assert hosts == {"cam_a": UNITS, "cam_b": UNITS}


def test_agents_that_are_killed_and_a_database_that_crashes_make_one_job_of_each(
    tmp_path: Path, shared: Shared
) -> None:
    faults = Faults(lose_reply=0.05, error_after=0.05, error_before=0.05, try_later=0.04)
    seeds = {"cam_a": 0, "cam_b": 0, "cam_c": 90_000} | ({"cam_d": 180_000} if LONG else {})
    places = [place_of(tmp_path, name, seed=seed) for name, seed in seeds.items()]
    whole = len(set(seeds.values())) * UNITS
    with Playment(faults=faults, latency=0.05) as server, contextlib.ExitStack() as stack:

        def start(place: Path) -> Popen[str]:
            given = fleet_environ(place, server, shared, SUBMIT_WORKERS="2")
            return stack.enter_context(process("run", environ=given, cwd=place))

        running = [start(place) for place in places]
        eventually(lambda: len(server.jobs) >= whole // 4, SECONDS)
        for number in (0, 2):
            running[number].kill()
            running[number].wait()
        shared.postgres.crash()
        running[2] = start(places[2])
        eventually(lambda: all(fleet_trouble(place / "ledger.db") for place in places[1:]), SECONDS)
        eventually(lambda: is_quiet(server), SECONDS)
        while_away = len(server.receipts)
        shared.postgres.start()
        back_at = time.monotonic()
        eventually(lambda: len(server.receipts) > while_away)
        if LONG:
            after = server.receipts[while_away].at - back_at
            print(f"sending goes on {after:.2f} s after the database answers")  # noqa: T201 (a soak is watched)
            assert after < 2.0
        running[0] = start(places[0])
        eventually(lambda: all(is_done(place / "ledger.db") for place in places), SECONDS)
        eventually(lambda: len(claims(shared)) == whole)
        for each in running:
            each.terminate()
        assert [each.wait(30) for each in running] == [0] * len(places)
        if LONG:
            print(f"{len(server.jobs):,} jobs by {len(server.receipts):,} requests")  # noqa: T201 (a soak is watched)
        assert len(server.jobs) == len(ids(server)) == whole
        known = [jobs(place / "ledger.db") for place in places]
        assert known[0] == known[1]
        assert {key: each for ledger in known for key, each in ledger.items()} == ids(server) == claims(shared)
    for place in places:
        assert PASSWORD not in (place / "agent.log").read_text()


def fleet_trouble(ledger: Path) -> str:
    """Return what keeps it from asking the fleet, as its ledger says; '' while that is being made."""
    with contextlib.suppress(sqlite3.OperationalError):
        return "".join(row["value"] for row in query(ledger, "select value from agent where key = 'fleet'"))
    return ""


def is_quiet(server: Playment) -> bool:
    """Tell whether no request has come for a while: those that were granted before may still be tried again."""
    return not server.receipts or time.monotonic() - server.receipts[-1].at > QUIET_SECONDS


def test_a_host_that_sleeps_beyond_its_lease_and_wakes_pays_for_nothing_twice(tmp_path: Path, shared: Shared) -> None:
    places = [place_of(tmp_path, name, seed=0) for name in ("cam_a", "cam_b")]
    with Playment(latency=0.2) as server, contextlib.ExitStack() as stack:
        given = fleet_environ(places[0], server, shared, SUBMIT_WORKERS="2")
        sleeper = stack.enter_context(process("run", environ=given, cwd=places[0]))
        eventually(lambda: len(server.jobs) >= UNITS // 8, SECONDS)
        sleeper.send_signal(signal.SIGSTOP)
        shared.sql("update fleet.fleet_claims set lease_until = now() where job_id is null")
        with joined(places[1], server, shared):
            eventually(lambda: is_done(places[1] / "ledger.db"), SECONDS)
            sleeper.send_signal(signal.SIGCONT)
            eventually(lambda: is_done(places[0] / "ledger.db"), SECONDS)
        sleeper.terminate()
        assert sleeper.wait(30) == 0
        assert len(server.jobs) == UNITS
        assert jobs(places[0] / "ledger.db") == jobs(places[1] / "ledger.db") == ids(server)


def test_while_the_database_is_away_all_but_sending_goes_on(tmp_path: Path, playment: Playment, shared: Shared) -> None:
    place = tmp_path / "cam_a"
    write(place / "inbox" / "before.jpg", image(1))
    ledger, given = place / "ledger.db", fleet_environ(place, playment, shared)

    def status() -> tuple[int, str]:
        told = command("status", environ=given, cwd=place)
        assert PASSWORD not in told.stdout + told.stderr
        return told.returncode, told.stdout

    shared.postgres.crash()
    with joined(place, playment, shared) as agent:  # away at the start
        agent.becomes("before.jpg", "pending")
        eventually(lambda: "fleet database not reachable since" in agent.value("fleet"))
        code, said = status()
        assert code == 1
        assert "FLEET, nothing new is sent: fleet database not reachable since" in said
        assert playment.receipts == []
        shared.postgres.start()
        agent.becomes("before.jpg", "submitted")
        eventually(lambda: status()[0] == 0)
        shared.postgres.crash()  # away in the middle
        write(place / "inbox" / "between.jpg", image(2))
        agent.becomes("between.jpg", "pending")
        eventually(lambda: query(ledger, "select reason from attention"))
        assert len(playment.receipts) == 1
        shared.postgres.start()
        agent.becomes("between.jpg", "submitted")
        eventually(lambda: len(claims(shared)) == 2)
        shared.postgres.crash()  # away at the end
    shared.postgres.start()
    assert len(playment.receipts) == len(playment.jobs) == 2
    assert not list(query(ledger, "select 1 from events where detail like ?", f"%{PASSWORD}%"))


def test_a_wrong_password_is_for_a_person_and_costs_nothing_but_sending(
    tmp_path: Path, playment: Playment, shared: Shared
) -> None:
    place = tmp_path / "cam_a"
    write(place / "inbox" / "a.jpg", image(1))
    given = fleet_environ(place, playment, shared)
    shared.postgres.sql("alter role cam_a password 'another'")
    try:
        with joined(place, playment, shared) as agent:
            agent.becomes("a.jpg", "pending")
            eventually(lambda: "refuses this host since" in agent.value("fleet"))
            assert command("status", environ=given, cwd=place).returncode == 3
            shared.postgres.sql(f"alter role cam_a password '{PASSWORD}'")
            agent.becomes("a.jpg", "submitted")
            eventually(lambda: command("status", environ=given, cwd=place).returncode == 0)
    finally:
        shared.postgres.sql(f"alter role cam_a password '{PASSWORD}'")


def test_one_run_sends_all_and_tells_the_fleet(tmp_path: Path, playment: Playment, shared: Shared) -> None:
    place = place_of(tmp_path, "cam_a", seed=0)
    done = command("run", "--once", environ=fleet_environ(place, playment, shared), cwd=place)
    assert done.returncode == 0, done.stderr
    assert claims(shared) == ids(playment) == jobs(place / "ledger.db")
    assert shared.sql("select sent from fleet.fleet_status") == [UNITS]


def test_the_days_limit_is_one_for_all(tmp_path: Path, playment: Playment, shared: Shared) -> None:
    limit = UNITS
    places = [place_of(tmp_path, name, seed=seed) for name, seed in (("cam_a", 0), ("cam_b", 50_000))]
    with contextlib.ExitStack() as stack:
        for place in places:
            stack.enter_context(joined(place, playment, shared, SUBMIT_LIMIT_JOBS_PER_DAY=str(limit)))
        asked = "select count(*) as n from jobs where state = 'pending' and error_code = 'spend'"
        eventually(
            lambda: sum(query(place / "ledger.db", asked)[0]["n"] for place in places) == 2 * UNITS - limit, SECONDS
        )
    assert len(playment.receipts) == len(playment.jobs) == limit
    assert shared.sql("select jobs from fleet.fleet_today") == [limit]


def test_an_older_copy_of_the_database_is_told_of_all_before_anything_is_sent(
    tmp_path: Path, playment: Playment, shared: Shared
) -> None:
    places = [place_of(tmp_path, name, seed=0) for name in ("cam_a", "cam_b")]
    with joined(places[0], playment, shared):
        eventually(lambda: is_done(places[0] / "ledger.db"), SECONDS)
        eventually(lambda: len(claims(shared)) == UNITS)
        shared.sql("delete from fleet.fleet_claims")
        shared.sql("update fleet.fleet_hosts set number = 1")
        shared.sql("update fleet.fleet_budget set jobs = 0, frames = 0")
        eventually(lambda: len(claims(shared)) == UNITS, SECONDS)
        with joined(places[1], playment, shared):
            eventually(lambda: is_done(places[1] / "ledger.db"), SECONDS)
    assert len(playment.receipts) == UNITS
    assert shared.sql("select jobs from fleet.fleet_today") == [UNITS]


def test_the_rate_is_one_for_all(tmp_path: Path, playment: Playment, shared: Shared) -> None:
    rng = random.Random(3)
    places = [tmp_path / "cam_a", tmp_path / "cam_b"]
    for place in places:
        for number in range(20):
            write(place / "inbox" / f"{number}.jpg", image(rng.randrange(10**6)))
    with contextlib.ExitStack() as stack:
        for place in places:
            stack.enter_context(joined(place, playment, shared, SUBMIT_JOBS_PER_MINUTE="600"))
        eventually(lambda: all(is_done(place / "ledger.db", 20) for place in places), SECONDS)
    starts = sorted(receipt.at for receipt in playment.receipts)
    assert len(starts) == 40
    # Ten a second: 40 starts take 3.7 s at the least, where at first a fifth of a second's worth goes at once.
    assert starts[-1] - starts[0] > 3.0


def test_a_fleet_is_switched_on_for_an_old_ledger_and_off_again(
    tmp_path: Path, playment: Playment, shared: Shared
) -> None:
    places = [place_of(tmp_path, name, seed=0, count=OLD) for name in ("cam_a", "cam_b")]
    ledger, a_day = places[0] / "ledger.db", {"SUBMIT_LIMIT_JOBS_PER_DAY": str(OLD + 1)}
    with Agent(settings(places[0], playment.url, **a_day)):
        eventually(lambda: is_done(ledger, OLD), SECONDS)
    with joined(places[0], playment, shared, **a_day) as agent:
        eventually(lambda: len(claims(shared)) == OLD, SECONDS)
        assert shared.sql("select jobs from fleet.fleet_today") == [OLD]  # what was sent alone today is the fleet's
        with joined(places[1], playment, shared, **a_day):
            eventually(lambda: is_done(places[1] / "ledger.db", OLD), SECONDS)
        write(agent.inbox / "new_1.jpg", image(700_001))
        agent.becomes("new_1.jpg", "submitted")
        write(agent.inbox / "new_2.jpg", image(700_002))
        eventually(lambda: count_of(ledger, "state = 'pending' and error_code = 'spend'") == 1)
        assert command("pause", "--fleet", environ=fleet_environ(places[0], playment, shared), cwd=tmp_path).stdout
        eventually(lambda: agent.value("fleet_paused"), SECONDS)
    assert len(playment.receipts) == len(playment.jobs) == OLD + 1
    with Agent(settings(places[0], playment.url, **a_day)) as agent:
        eventually(lambda: count_of(ledger, "state = 'pending' and error_code = 'spend'") == 1)
        assert (agent.value("fleet"), agent.value("fleet_paused")) == ("", "")
        assert len(playment.jobs) == OLD + 1  # what the fleet has counted for this host is counted here, too
    with Agent(settings(places[0], playment.url, SUBMIT_LIMIT_JOBS_PER_DAY=str(OLD + 2))) as agent:
        agent.becomes("new_2.jpg", "submitted")
    assert len(playment.receipts) == len(playment.jobs) == OLD + 2


def test_a_ledger_that_is_restored_learns_from_the_fleet_what_was_sent_since(
    tmp_path: Path, playment: Playment, shared: Shared
) -> None:
    place = tmp_path / "cam_a"
    ledger, backup = place / "ledger.db", tmp_path / "backup.db"
    write(place / "inbox" / "before.jpg", image(1))
    with joined(place, playment, shared) as agent:
        agent.becomes("before.jpg", "submitted")
        done = command("backup", str(backup), environ=fleet_environ(place, playment, shared), cwd=place)
        assert done.returncode == 0, done.stderr
        write(place / "inbox" / "after.jpg", image(2))
        agent.becomes("after.jpg", "submitted")
        eventually(lambda: len(claims(shared)) == 2)
    for path in place.glob("ledger.db*"):
        path.unlink()
    backup.rename(ledger)
    with joined(place, playment, shared) as agent:
        agent.becomes("after.jpg", "submitted")
    assert jobs(ledger) == ids(playment) == claims(shared)
    assert len(playment.receipts) == 2
