"""The whole agent and a real Label Studio, between which answers are lost: each unit becomes one task."""

from __future__ import annotations

import contextlib
import json
import re
import time
from typing import TYPE_CHECKING

import pytest

from agent.core.states import State
from agent.host.clock import utc_now
from agent.ledger import orders
from agent.ledger.copy import back_up
from agent.ledger.store import Ledger
from agent.reporting.checks.remote import check_publishing, check_target
from agent.service import assembly
from agent.settings import load
from agent.targets.label_studio.client import LabelStudio
from tests.cutting import BAD_GATEWAY, CUT, LATE, Cutting
from tests.serving import Served
from tests.soak import LONG
from tests.support import Agent, command, environ, eventually, frames, image, query, write
from tests.targets import LabelStudios

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.settings.settings import Settings
    from tests.label_studio import Server

pytestmark = pytest.mark.timeout(1800 if LONG else 900)  # whoever comes first installs the server

IMAGES, FRAMES = (40, 24) if LONG else (12, 24)
KNOWN = "select 1 from agent where key = 'past' and value = 'known'"
UNSENT = "select 1 from jobs where state <> 'submitted'"
OPEN = "select 1 from jobs where state in ('settling', 'pending', 'submitting') or look_again_at is not null"


@pytest.fixture
def proxy(label_studio: Server) -> Iterator[Cutting]:
    with Cutting(label_studio.port, seed=18) as running:
        yield running


@pytest.fixture
def world(label_studio: Server, proxy: Cutting) -> LabelStudios:
    return LabelStudios(label_studio, proxy)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "inbox").mkdir()
    with Served(tmp_path / "inbox") as running:
        yield running


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have requests be over soon."""

    def client_of(settings: Settings) -> LabelStudio:
        return LabelStudio(settings.label_studio_url, settings.label_studio_token.reveal(), post_seconds=1.5)

    monkeypatch.setattr(assembly, "label_studio_of", client_of)


def settings_of(place: Path, world: LabelStudios, served: Served, **changed: str) -> Settings:
    return load.load(given_of(place, world, served, **changed), place, None)


def given_of(place: Path, world: LabelStudios, served: Served, **changed: str) -> dict[str, str]:
    given = {
        "TARGET": "label-studio",
        "LABEL_STUDIO_URL": world.proxy.url,
        "LABEL_STUDIO_TOKEN": world.key,
        "LABEL_STUDIO_IMAGE_PROJECT": str(world.projects.image),
        "LABEL_STUDIO_SEQUENCE_PROJECT": str(world.projects.sequence),
        "PUBLISH_TO": f"{served.url}/",
        "PUBLISH_PROBE": "all",
    }
    texts = environ(place, "", **{**given, **changed})
    return {name: text for name, text in texts.items() if not name.startswith("PLAYMENT")}


def drop(inbox: Path, first: int = 0) -> None:
    for number in range(first, first + IMAGES):
        write(inbox / f"image_{number}.jpg", image(number))
    frames(inbox / f"drive_{first}", FRAMES, seed=1000 + first)


def is_each_once(world: LabelStudios, chosen: Settings) -> None:
    kept = query(chosen.ledger_path, "select reference_id, job_id, state, attempts from jobs order by reference_id")
    assert world.references() == sorted(row["reference_id"] for row in kept)
    there = {
        str(task["data"]["reference_id"]): str(task["id"])
        for project in world.projects.each()
        for task in world.server.tasks(project)
    }
    assert {row["reference_id"]: row["job_id"] for row in kept} == there


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


@pytest.mark.parametrize("kind", [CUT, BAD_GATEWAY, LATE])
@pytest.mark.usefixtures("impatient")
def test_each_unit_is_one_task_however_answers_are_lost(
    tmp_path: Path, world: LabelStudios, served: Served, kind: str
) -> None:
    chosen = settings_of(tmp_path, world, served)
    with Agent(chosen) as agent:
        eventually(
            lambda: query(chosen.ledger_path, "select 1 from agent where key = 'past' and value = 'known'"), 60.0
        )
        world.proxy.kind, world.proxy.rate, world.proxy.late_seconds = kind, 0.4, 4.0
        if kind == LATE:
            world.proxy.methods = ("POST",)
        drop(agent.inbox)
        eventually(lambda: len(agent_rows(chosen)) == IMAGES + 1, 60.0)
        eventually(lambda: not query(chosen.ledger_path, UNSENT), 300.0)
        world.proxy.rate = 0.0
        world.proxy.settle()
        eventually(lambda: not query(chosen.ledger_path, OPEN), 300.0)
    assert world.proxy.lost
    is_each_once(world, chosen)


@pytest.mark.usefixtures("impatient")
def test_a_lost_ledger_takes_over_the_tasks_that_are_there(tmp_path: Path, world: LabelStudios, served: Served) -> None:
    chosen = settings_of(tmp_path, world, served)
    with Agent(chosen) as agent:
        drop(agent.inbox)
        eventually(lambda: len(agent_rows(chosen)) == IMAGES + 1, 60.0)
        eventually(lambda: not query(chosen.ledger_path, OPEN), 300.0)
    for file in tmp_path.glob("ledger.db*"):
        file.unlink()
    with Agent(chosen):
        done = "select count(*) as n from jobs where state = 'submitted'"
        eventually(lambda: query(chosen.ledger_path, done)[0]["n"] == IMAGES + 1, 120.0)
    is_each_once(world, chosen)


@pytest.mark.usefixtures("impatient")
def test_an_older_copy_of_the_ledger_takes_over_what_was_sent_since(
    tmp_path: Path, world: LabelStudios, served: Served
) -> None:
    chosen = settings_of(tmp_path, world, served)
    copy = tmp_path / "copy.db"
    with Agent(chosen) as agent:
        write(agent.inbox / "before.jpg", image(1))
        agent.becomes("before.jpg", "submitted", seconds=60.0)
        write(agent.inbox / "before.jpg", image(2))
        agent.becomes("before.jpg", "submitted", "held")
        back_up(chosen.ledger_path, copy)
        resubmit_what_is_held(chosen)
        write(agent.inbox / "since.jpg", image(3))
        frames(agent.inbox / "drive", 3, seed=4)
        agent.becomes("before.jpg", "submitted", "submitted", seconds=60.0)
        agent.becomes("since.jpg", "submitted", seconds=60.0)
        agent.becomes("drive", "submitted", seconds=60.0)
    there = world.references()
    for file in tmp_path.glob("ledger.db*"):
        file.unlink()
    copy.rename(chosen.ledger_path)
    with Agent(chosen) as agent:
        resubmit_what_is_held(chosen)
        done = "select 1 from jobs where state = 'submitted'"
        eventually(lambda: len(query(chosen.ledger_path, done)) == 4, 120.0)
        write(agent.inbox / "new.jpg", image(5))
        agent.becomes("new.jpg", "submitted", seconds=60.0)
    assert len(there) == 4
    assert [each for each in world.references() if not each.startswith("new.jpg")] == there
    is_each_once(world, chosen)


def test_reconcile_finds_what_is_missing_extra_and_there_twice(
    tmp_path: Path, world: LabelStudios, served: Served
) -> None:
    chosen = settings_of(tmp_path, world, served)
    with Agent(chosen) as agent:
        for number, path in enumerate(("twin.jpg", "gone.jpg", "lost.jpg")):
            write(agent.inbox / path, image(number))
            agent.becomes(path, "submitted", seconds=60.0)
    given = given_of(tmp_path, world, served)
    ids = {row["path"]: row["job_id"] for row in query(chosen.ledger_path, "select * from jobs")}
    agreed = command("reconcile", environ=given, cwd=tmp_path)
    assert (agreed.returncode, agreed.stdout) == (0, "the ledger and Label Studio's lists agree\n")
    (twin,) = [task for task in world.server.tasks(world.projects.image) if str(task["id"]) == ids["twin.jpg"]]
    made = world.server.call("POST", "/api/tasks", {"project": world.projects.image, "data": twin["data"]})
    world.server.call("DELETE", f"/api/tasks/{ids['gone.jpg']}")
    with contextlib.closing(Ledger(chosen.ledger_path, utc_now)) as ledger, ledger.transaction():
        ledger.sql.execute("delete from event_log where job = (select id from jobs where path = 'lost.jpg')")
        ledger.sql.execute("delete from frame_rows where job = (select id from jobs where path = 'lost.jpg')")
        ledger.sql.execute("delete from jobs where path = 'lost.jpg'")
    for option in ([], ["--adopt"]):
        told = command("reconcile", "--json", *option, environ=given, cwd=tmp_path)
        assert told.returncode == 1, told.stderr
        assert sorted((each["what"], each["path"], each["there"]) for each in json.loads(told.stdout)) == [
            ("extra", "", ids["lost.jpg"]),
            ("missing", "gone.jpg", ""),
            ("twin", "twin.jpg", str(made["id"])),
        ]
    assert query(chosen.ledger_path, "select job_id from jobs where path = 'twin.jpg'")[0]["job_id"] == ids["twin.jpg"]
    done = command("run", "--once", environ=given, cwd=tmp_path)  # a run from cron looks, too
    assert done.returncode == 0, done.stderr
    assert "removed 1 twins" in done.stderr
    assert "found 1" in done.stderr  # what the ledger had lost is looked for before it is sent
    assert {str(task["id"]) for task in world.server.tasks(world.projects.image)} == {ids["twin.jpg"], ids["lost.jpg"]}


def resubmit_what_is_held(chosen: Settings) -> None:
    with contextlib.closing(Ledger(chosen.ledger_path, utc_now, late=1.5)) as ledger, ledger.transaction():
        (held,) = orders.in_states(ledger, {State.HELD})
        assert orders.resubmit(ledger, held)


def agent_rows(chosen: Settings) -> list[dict[str, object]]:
    with contextlib.suppress(Exception):
        return query(chosen.ledger_path, "select * from jobs")
    return []


def test_the_projects_that_init_makes_are_settings_that_check_finds_fine(
    tmp_path: Path, label_studio: Server, served: Served
) -> None:
    write(tmp_path / "token", f"{label_studio.personal_token}\n".encode())
    given = {"LABEL_STUDIO_URL": label_studio.url, "LABEL_STUDIO_TOKEN_FILE": "token"}
    refused = command("label-studio", "init", environ={}, cwd=tmp_path)
    assert refused.returncode == 2
    assert "LABEL_STUDIO_URL" in refused.stderr
    made = command("label-studio", "init", environ=given, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    again = command("label-studio", "init", environ=given, cwd=tmp_path)
    assert (again.returncode, again.stdout, again.stderr.count("is there already")) == (0, made.stdout, 2)
    given |= dict(line.split("=") for line in made.stdout.split())
    write(tmp_path / "inbox/a.jpg", image())
    write(tmp_path / "inbox/.playment.toml", b'tag = "cars"\nbatch = "day"\n')
    more = {"WATCH_DIR": str(tmp_path / "inbox"), "PUBLISH_TO": f"{served.url}/", "LEDGER_PATH": str(tmp_path / "l.db")}
    env = {**given, **more, "PLAYMENT_BATCH": "day", "FOLDER_SETTINGS": "true"}
    found = command("check", environ=env, cwd=tmp_path)
    assert found.returncode == 0, found.stdout + found.stderr
    warned = [line for line in found.stdout.splitlines() if not line.startswith("ok ")]
    assert ["PLAYMENT_BATCH" in warned[0], "batch, tag" in warned[1], len(warned)] == [True, True, 2]
    assert "takes the token; the projects are 'playment-agent images' and 'playment-agent sequences'" in found.stdout
    assert not re.search(r"\bPlayment\b|  batch  ", found.stdout)
    served.allows = ""
    (empty,) = check_publishing(load.load(env, tmp_path, None), "a.jpg")
    assert (empty.exit_code, "Access-Control-Allow-Origin" in empty.text) == (1, True)


def test_check_says_what_is_wrong_at_label_studio(tmp_path: Path, world: LabelStudios, served: Served) -> None:
    def told(**changed: str) -> list[tuple[str, int, str]]:
        chosen = settings_of(tmp_path, world, served, **changed)
        return [(each.level, each.exit_code, each.text) for each in check_target(chosen, time.time)]

    for wrong in world.wrong_keys:
        [refused, clock] = told(LABEL_STUDIO_TOKEN=wrong)
        assert refused[:2] == ("FAIL", 3)
        assert refused[2].endswith("the environment at a start")
        assert "Set the right LABEL_STUDIO_TOKEN" in refused[2]
        assert clock == ("ok", 0, "within a minute of Label Studio's")
    [missing, _] = told(LABEL_STUDIO_IMAGE_PROJECT="99999999")
    assert missing[:2] == ("FAIL", 3)
    assert f"projects 99999999 and {world.projects.sequence}: Label Studio has no project 99999999" in missing[2]
    assert "Set the right" not in missing[2]
    [unfit, _] = told(LABEL_STUDIO_SEQUENCE_PROJECT=str(world.projects.image))
    assert unfit[:2] == ("FAIL", 3)
    assert "sequences need <Image" in unfit[2]
    [away] = told(LABEL_STUDIO_URL="http://127.0.0.1:9")
    assert away[:2] == ("FAIL", 1)
    assert "Look at LABEL_STUDIO_URL" in away[2]
    assert world.references() == []


def test_nothing_of_a_folders_tag_or_batch_gets_into_a_job(tmp_path: Path, world: LabelStudios, served: Served) -> None:
    chosen = settings_of(tmp_path, world, served, FOLDER_SETTINGS="true")
    with Agent(chosen) as agent:
        write(agent.inbox / "cam/.playment.toml", b'tag = "cars"\nbatch = "day"\nkind = "images"\n')
        write(agent.inbox / "cam/a.jpg", image())
        agent.becomes("cam/a.jpg", "submitted", seconds=60.0)
    [row] = query(chosen.ledger_path, "select tag, batch_id, priority_weight from jobs")
    assert row == {"tag": "", "batch_id": None, "priority_weight": None}
    assert not query(chosen.ledger_path, "select * from batches")
    given = given_of(tmp_path, world, served, FOLDER_SETTINGS="true")
    explained = command("explain", "cam/a.jpg", environ=given, cwd=tmp_path)
    assert "tag has no effect in cam/.playment.toml" in explained.stdout
    assert "its files must stay where they are until it is completed: Label Studio copies none" in explained.stdout
    assert not re.search(r"\bPlayment\b", explained.stdout)
