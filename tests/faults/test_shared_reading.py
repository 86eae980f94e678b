"""Real agents on what they take for one network folder: each unit is read by one of them, whoever dies meanwhile."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agent.fleet import client
from agent.host import mounts
from agent.ledger.fleet import ELSEWHERE
from agent.noticing.claims import ELSEWHERE as READ_ELSEWHERE
from agent.reading.reader import Reader
from agent.service import membership, shared_reading
from tests.faults.held_reading import NAS
from tests.faults.test_fleet_agents import UNITS, claims, fleet_environ, ids, is_done, jobs, joined, place_of
from tests.support import Agent, Playment, command, environ, eventually, image, process, query, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres import Shared

SECONDS = 60.0
LEASE = 2.0
HOLDER = "select h.host from fleet.fleet_units u join fleet.fleet_hosts h on h.id = u.host"

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(autouse=True)
def one_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "shared_place", lambda _path: NAS)


class Reads(Counter[str]):
    """How often each unit is read, by all; `may_go` holds up all reading until it is set."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go = threading.Event()
        self.may_go.set()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    found = Reads()
    for name in ("image", "sequence"):
        whole = getattr(Reader, name)

        def counted(reader: Reader, path: str, *given: Any, whole: Any = whole) -> Any:
            found.may_go.wait()
            found[path] += 1
            return whole(reader, path, *given)

        monkeypatch.setattr(Reader, name, counted)
    return found


@pytest.fixture
def playment() -> Iterator[Playment]:
    with Playment() as server:
        yield server


def places_alike(root: Path, *names: str) -> list[Path]:
    """Return the folders of hosts that look alike to the last stamp, as a share does."""
    places = [place_of(root, name, seed=0) for name in names]
    for file in sorted((places[0] / "inbox").rglob("*.jpg")):
        times = file.stat()
        for other in places[1:]:
            os.utime(other / "inbox" / file.relative_to(places[0] / "inbox"), ns=(times.st_atime_ns, times.st_mtime_ns))
    return places


def test_each_unit_is_read_by_one_host_and_known_to_all(
    tmp_path: Path, playment: Playment, shared: Shared, reads: Reads
) -> None:
    places = places_alike(tmp_path, "cam_a", "cam_b")
    reads.may_go.clear()
    with contextlib.ExitStack() as stack:
        for place in places:
            stack.enter_context(joined(place, playment, shared))
        eventually(lambda: len(shared.sql("select distinct host from fleet.fleet_units")) == len(places))
        reads.may_go.set()
        eventually(lambda: all(is_done(place / "ledger.db") for place in places), SECONDS)
    assert (len(reads), reads.total()) == (UNITS, UNITS)
    assert len(playment.receipts) == UNITS
    assert jobs(places[0] / "ledger.db") == jobs(places[1] / "ledger.db") == ids(playment)
    taken = [query(place / "ledger.db", "select 1 from jobs where reason = ?", ELSEWHERE) for place in places]
    assert sum(map(len, taken)) == UNITS
    assert all(taken)  # both have read some
    # What was not read is known as what was: a restart finds all at rest.
    with joined(places[0], playment, shared) as again:
        again.rests()
    assert (reads.total(), len(playment.receipts)) == (UNITS, UNITS)


def test_stamps_that_differ_cost_a_reading_and_never_a_job(
    tmp_path: Path, playment: Playment, shared: Shared, reads: Reads
) -> None:
    places = [place_of(tmp_path, name, seed=0) for name in ("cam_a", "cam_b")]
    os.utime(places[1] / "inbox" / "0000.jpg", (1, 1))
    for place in places:
        with joined(place, playment, shared):
            eventually(lambda place=place: is_done(place / "ledger.db"), SECONDS)  # type: ignore[misc]
            eventually(lambda: len(claims(shared)) == UNITS)
    assert reads["0000.jpg"] == 2
    assert len(playment.receipts) == len(playment.jobs) == UNITS
    assert jobs(places[0] / "ledger.db") == jobs(places[1] / "ledger.db") == ids(playment)


def test_stamps_that_always_differ_cost_no_job_while_both_see_all_at_once(
    tmp_path: Path, playment: Playment, shared: Shared, reads: Reads
) -> None:
    places = [place_of(tmp_path, name, seed=0) for name in ("cam_a", "cam_b")]
    for number, file in enumerate(sorted((places[1] / "inbox").rglob("*.jpg"))):
        os.utime(file, (number, number))
    with contextlib.ExitStack() as stack:
        for place in places:
            stack.enter_context(joined(place, playment, shared))
        eventually(lambda: all(is_done(place / "ledger.db") for place in places), SECONDS)
        eventually(lambda: len(claims(shared)) == UNITS)
    assert UNITS <= reads.total() <= 2 * UNITS
    assert len(playment.receipts) == len(playment.jobs) == UNITS
    assert jobs(places[0] / "ledger.db") == jobs(places[1] / "ledger.db") == ids(playment)


def test_a_unit_that_takes_longer_to_read_than_a_lease_stays_with_its_host(
    tmp_path: Path, playment: Playment, shared: Shared, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "LEASE_SECONDS", LEASE)
    monkeypatch.setattr(shared_reading, "RENEW_SECONDS", LEASE / 8)
    monkeypatch.setattr(membership, "BEAT_SECONDS", LEASE / 8)
    places = [tmp_path / name for name in ("cam_a", "cam_b")]
    for place in places:
        os.utime(write(place / "inbox" / "a.jpg", image(1)), (1, 1))
    reads.may_go.clear()
    with contextlib.ExitStack() as stack:
        stack.callback(reads.may_go.set)
        agents = [stack.enter_context(joined(place, playment, shared)) for place in places]
        ends = "select extract(epoch from min(lease_until)) from fleet.fleet_units"
        eventually(lambda: shared.sql(ends)[0])
        (first,), (holder,) = shared.sql(ends), shared.sql(HOLDER)
        eventually(lambda: shared.sql(ends)[0] > first + 2 * int(LEASE))
        assert shared.sql(HOLDER) == [holder]
        reads.may_go.set()
        for agent in agents:
            agent.becomes("a.jpg", "submitted", seconds=SECONDS)
    assert (reads["a.jpg"], len(playment.receipts)) == (1, 1)


def test_what_is_being_read_by_a_host_that_is_killed_is_read_by_another_after_its_lease(
    tmp_path: Path, playment: Playment, shared: Shared, reads: Reads
) -> None:
    places = [tmp_path / name for name in ("cam_a", "cam_b")]
    for place in places:
        os.utime(write(place / "inbox" / "a.jpg", image(1)), (1, 1))
    given = fleet_environ(places[0], playment, shared)
    driver = Path(__file__).with_name("held_reading.py")
    with process(str(LEASE), "run", environ=given, cwd=places[0], driver=driver) as dies:
        eventually(lambda: shared.sql(HOLDER) == ["cam_a"])
        dies.kill()
        dies.wait()
    (ends,) = shared.sql("select extract(epoch from lease_until) from fleet.fleet_units")
    with joined(places[1], playment, shared) as agent:
        agent.becomes("a.jpg", "submitted", seconds=SECONDS)
    (claimed,) = shared.sql("select extract(epoch from claimed_at) from fleet.fleet_claims")
    assert claimed >= ends
    assert (reads["a.jpg"], len(playment.receipts)) == (1, 1)
    assert shared.sql(HOLDER) == ["cam_b"]


def test_what_a_dead_host_had_claimed_is_read_after_its_lease(
    tmp_path: Path, playment: Playment, shared: Shared, reads: Reads
) -> None:
    place = tmp_path / "cam_a"
    write(place / "inbox" / "a.jpg", image(1))
    with joined(place, playment, shared) as agent:
        agent.becomes("a.jpg", "submitted")
        dead = "update fleet.fleet_units set host = (select id from fleet.fleet_hosts where host = 'cam_b'), {}"
        with joined_once(tmp_path / "cam_b", playment, shared):
            trusts = "select trusts <> '' from fleet.fleet_hosts where host = 'cam_b'"
            eventually(lambda: shared.sql(trusts) == [True])
        shared.sql(
            "insert into fleet.fleet_units (lease_until, folder, host, path, sizes, stamps) "
            "select now() + interval '1 hour', f.id, h.id, 'b.jpg', '', '' "
            "from fleet.fleet_folders f, fleet.fleet_hosts h where h.host = 'cam_b'"
        )
        write(place / "inbox" / "b.jpg", image(2))
        eventually(lambda: [row["reason"] for row in agent.rows("b.jpg")] == [READ_ELSEWHERE])
        said = command("explain", str(place / "inbox" / "b.jpg"), environ=environ(place, playment.url), cwd=place)
        assert READ_ELSEWHERE in said.stdout
        assert reads["b.jpg"] == 0
        shared.sql(dead.format("lease_until = now()"))
        agent.becomes("b.jpg", "submitted", seconds=SECONDS)
    assert reads["b.jpg"] == 1


def joined_once(place: Path, playment: Playment, shared: Shared) -> Agent:
    (place / "inbox").mkdir(parents=True)
    return joined(place, playment, shared)


def test_what_is_no_image_is_left_to_the_others_who_say_so_too(
    tmp_path: Path, playment: Playment, shared: Shared
) -> None:
    places = [tmp_path / "cam_a", tmp_path / "cam_b"]
    with contextlib.ExitStack() as stack:
        for place in places:
            write(place / "inbox" / "bad.jpg", b"")
            os.utime(place / "inbox" / "bad.jpg", (1, 1))
        agents = [stack.enter_context(joined(place, playment, shared)) for place in places]
        for agent in agents:
            agent.becomes("bad.jpg", "invalid")
        eventually(lambda: shared.sql("select count(*) from fleet.fleet_units") == [0])


def test_while_the_database_is_away_units_are_read_unclaimed(
    tmp_path: Path, playment: Playment, shared: Shared, reads: Reads
) -> None:
    place = tmp_path / "cam_a"
    write(place / "inbox" / "a.jpg", image(1))
    shared.postgres.crash()
    with joined(place, playment, shared) as agent:
        agent.becomes("a.jpg", "pending")
        assert reads["a.jpg"] == 1
        shared.postgres.start()
        agent.becomes("a.jpg", "submitted")
