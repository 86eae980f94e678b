"""The whole agent and a real Label Studio, between which answers are lost: each unit becomes one task.

`python -m tests.soak label_studio_agent` does the same with more of everything, and on PostgreSQL, too.
"""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agent.service import assembly
from agent.targets.label_studio.proof import is_trial
from tests.cutting import BAD_GATEWAY, CUT, LATE, Cutting
from tests.faults.impatient import client_of
from tests.label_studio import MISSING, on_postgres
from tests.serving import Served
from tests.soak import LONG
from tests.support import Agent, command, eventually, frames, image, process, query, write
from tests.targets import LabelStudios, given_of, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.label_studio import Server
    from tests.postgres import Shared

pytestmark = pytest.mark.timeout(3600 if LONG else 900)  # whoever comes first installs the server

DATABASES = ("sqlite", "postgresql") if LONG else ("sqlite",)
KINDS = (CUT, LATE, BAD_GATEWAY) if LONG else (CUT, LATE)
FLEET_KINDS = (CUT, LATE) if LONG else (CUT,)
IMAGES, SEQUENCES, FRAMES = (60, 6, 120) if LONG else (8, 1, 12)
UNITS = IMAGES + SEQUENCES
KILLS = 8 if LONG else 1
SECONDS = 600.0 if LONG else 120.0
POST_SECONDS = 2.0
LATE_SECONDS = 4.5
"""Later than the look after which a job is sent again, and sooner than the second look."""
IMPATIENT = Path(__file__).with_name("impatient.py")

IDS = "select reference_id from jobs"
KNOWN = "select 1 from agent where key = 'past' and value = 'known'"
DONE = "select 1 from jobs where state = 'submitted'"
OPEN = "select 1 from jobs where state <> 'submitted' or look_again_at is not null"


@pytest.fixture(scope="module", params=DATABASES)
def studio(request: pytest.FixtureRequest) -> Iterator[Server]:
    if request.param == "sqlite":
        yield request.getfixturevalue("label_studio")
        return
    with on_postgres(request.getfixturevalue("postgres")) as server:
        if server is None:
            pytest.skip(MISSING)
        yield server


@pytest.fixture
def proxy(studio: Server) -> Iterator[Cutting]:
    with Cutting(studio.port, seed=18) as running:
        running.late_seconds = LATE_SECONDS
        yield running


@pytest.fixture
def world(studio: Server, proxy: Cutting) -> LabelStudios:
    return LabelStudios(studio, proxy)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have requests be over soon."""
    monkeypatch.setattr(assembly, "label_studio_of", lambda settings: client_of(settings, POST_SECONDS))


def drop(inbox: Path) -> None:
    for number in range(IMAGES):
        write(inbox / f"image_{number}.jpg", image(number))
    for number in range(SEQUENCES):
        frames(inbox / f"drive_{number}", FRAMES, seed=1000 + number)


def loses(proxy: Cutting, kind: str) -> None:
    """Have four of ten answers be lost from now on; what is late are POSTs."""
    proxy.kind, proxy.rate = kind, 0.4
    proxy.methods = ("POST",) if kind == LATE else ("POST", "GET", "DELETE")


def count_of(ledger: Path, rows: str) -> int:
    """Return how many rows there are; none while the ledger is being made."""
    with contextlib.suppress(sqlite3.OperationalError):
        return len(query(ledger, rows))
    return 0


def is_done(ledger: Path) -> bool:
    """Tell whether all units have their tasks, and nothing is to be looked at again."""
    return count_of(ledger, DONE) == UNITS and not query(ledger, OPEN)


def posts(world: LabelStudios) -> list[str]:
    """Return the reference_ids of the tasks that were asked for, in order, but of trials."""
    asked = [
        json.loads(body)["data"]["reference_id"] for path, body in list(world.proxy.posted) if path == "/api/tasks"
    ]
    return [reference_id for reference_id in asked if not is_trial(reference_id)]


def tasks_of(world: LabelStudios) -> list[dict[str, Any]]:
    """Return all tasks but trials: one that was killed leaves its own, which an agent removes an hour later."""
    return [task for task in world.tasks() if not is_trial(task["data"]["reference_id"])]


def is_each_once(world: LabelStudios, ledger: Path) -> None:
    """Have every unit be there once, known by its task, a sequence with its frames in order."""
    rows = query(ledger, "select path, kind, reference_id, job_id from jobs where state = 'submitted'")
    assert len(rows) == UNITS
    tasks = tasks_of(world)
    assert sorted(task["data"]["reference_id"] for task in tasks) == sorted(row["reference_id"] for row in rows)
    there = {task["data"]["reference_id"]: task for task in tasks}
    assert {row["reference_id"]: row["job_id"] for row in rows} == {name: str(there[name]["id"]) for name in there}
    names = [f"frame_{number}.jpg" for number in range(1, FRAMES + 1)]
    for row in rows:
        content = there[row["reference_id"]]["data"]
        if row["kind"] == "sequence":
            assert content["frame_ids"] == names
            paths = [url.split("/", 3)[3] for url in content["frames"]]
            assert paths == [f"{row['path']}/{name}" for name in names]
        else:
            assert content["image"].endswith(f"/{row['path']}")


def test_what_is_dropped_becomes_tasks_with_their_frames_in_order(
    tmp_path: Path, world: LabelStudios, served: Served
) -> None:
    chosen = settings_of(tmp_path, world, served)
    with Agent(chosen) as agent:
        write(agent.inbox / "a.jpg", image())
        frames(agent.inbox / "drive", 24, seed=7)
        agent.becomes("a.jpg", "submitted", seconds=60.0)
        agent.becomes("drive", "submitted", seconds=60.0)
    (picture,) = world.server.tasks(world.projects.image)
    (drive,) = world.server.tasks(world.projects.sequence)
    assert picture["data"]["image"] == f"{served.url}/a.jpg"
    names = [f"frame_{number}.jpg" for number in range(1, 25)]
    assert [name.rpartition("/")[2] for name in drive["data"]["frames"]] == drive["data"]["frame_ids"]
    assert drive["data"]["frame_ids"] == names
    assert {*served.origins} == {world.proxy.url}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("impatient")
def test_each_unit_is_one_task_however_answers_are_lost(
    tmp_path: Path, world: LabelStudios, served: Served, kind: str
) -> None:
    chosen = settings_of(tmp_path, world, served)
    loses(world.proxy, kind)
    with Agent(chosen) as agent:
        drop(agent.inbox)
        eventually(lambda: count_of(chosen.ledger_path, DONE) == UNITS, SECONDS)
        world.proxy.rate = 0.0
        world.proxy.settle()
        eventually(lambda: is_done(chosen.ledger_path), SECONDS)
    assert world.proxy.lost
    is_each_once(world, chosen.ledger_path)
    assert len(world.references()) == UNITS, "no trial is left"


def test_agent_and_server_are_killed_while_answers_are_lost(
    tmp_path: Path, world: LabelStudios, served: Served
) -> None:
    rng = random.Random(18)
    given, ledger = given_of(tmp_path, world, served), tmp_path / "ledger.db"
    for number in range(KILLS):
        with process(str(POST_SECONDS), "run", environ=given, cwd=tmp_path, driver=IMPATIENT) as running:
            eventually(lambda: count_of(ledger, KNOWN), SECONDS)
            loses(world.proxy, (BAD_GATEWAY, LATE, CUT)[number % 3])
            if not number:
                drop(tmp_path / "inbox")
            wanted = len(posts(world)) + rng.randrange(4, 7)
            eventually(lambda wanted=wanted: len(posts(world)) >= wanted or is_done(ledger), SECONDS)  # type: ignore[misc]
            running.kill()
    with process(str(POST_SECONDS), "run", environ=given, cwd=tmp_path, driver=IMPATIENT) as running:
        wanted = len(posts(world)) + 1
        eventually(lambda: len(posts(world)) >= wanted or is_done(ledger), SECONDS)
        world.server.kill()
        world.server.start()
        world.proxy.rate = 0.0
        world.proxy.settle()
        eventually(lambda: is_done(ledger), SECONDS)
        running.terminate()
        assert running.wait(30) == 0
    is_each_once(world, ledger)


@pytest.mark.usefixtures("impatient")
def test_after_a_kill_and_a_lost_ledger_what_is_there_is_taken_over(
    tmp_path: Path, world: LabelStudios, served: Served
) -> None:
    given, ledger = given_of(tmp_path, world, served), tmp_path / "ledger.db"
    with process(str(POST_SECONDS), "run", environ=given, cwd=tmp_path, driver=IMPATIENT) as running:
        eventually(lambda: count_of(ledger, KNOWN), SECONDS)
        loses(world.proxy, LATE)
        drop(tmp_path / "inbox")
        eventually(lambda: len(tasks_of(world)) > UNITS // 2, SECONDS)
        running.kill()
    world.proxy.settle()
    world.proxy.rate = 0.0
    for file in tmp_path.glob("ledger.db*"):
        file.unlink()
    there, before = tasks_of(world), len(posts(world))
    with Agent(settings_of(tmp_path, world, served)):
        eventually(lambda: count_of(ledger, "select 1 from jobs where state <> 'settling'") == UNITS, SECONDS)
        eventually(lambda: count_of(ledger, DONE) == len(there), SECONDS)
        assert len(posts(world)) == before, "nothing is sent before a person has looked"
        done = command("resume", environ=given, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        eventually(lambda: is_done(ledger), SECONDS)
    is_each_once(world, ledger)
    known = {task["data"]["reference_id"] for task in there}
    assert sorted(posts(world)[before:]) == sorted({row["reference_id"] for row in query(ledger, IDS)} - known)


@pytest.mark.parametrize("kind", FLEET_KINDS)
def test_hosts_of_a_fleet_of_which_one_is_killed_make_one_task_of_each_unit(
    tmp_path: Path, world: LabelStudios, shared: Shared, kind: str
) -> None:
    places = [tmp_path / name for name in ("cam_a", "cam_b")]
    ledgers = [place / "ledger.db" for place in places]
    for place in places:
        drop(place / "inbox")
    loses(world.proxy, kind)
    with contextlib.ExitStack() as stack:
        served = stack.enter_context(Served(places[0] / "inbox"))

        def start(place: Path) -> Any:
            dsn = shared.postgres.dsn(place.name, shared.name)
            given = given_of(place, world, served, FLEET_DSN=dsn, FLEET_HOST=place.name)
            return stack.enter_context(process(str(POST_SECONDS), "run", environ=given, cwd=place, driver=IMPATIENT))

        running = [start(place) for place in places]
        eventually(lambda: len(posts(world)) >= UNITS // 2, SECONDS)
        running[0].kill()
        running[0].wait()
        eventually(lambda: count_of(ledgers[1], DONE) == UNITS, SECONDS)
        world.proxy.rate = 0.0
        world.proxy.settle()
        running[0] = start(places[0])
        eventually(lambda: all(is_done(ledger) for ledger in ledgers), SECONDS)
        for each in running:
            each.terminate()
        assert [each.wait(30) for each in running] == [0, 0]
    for ledger in ledgers:
        is_each_once(world, ledger)
