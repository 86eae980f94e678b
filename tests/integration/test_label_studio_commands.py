"""The commands of a person, and an older copy of the ledger, at a real Label Studio."""

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
from tests.faults.impatient import client_of
from tests.support import Agent, command, eventually, frames, image, query, write
from tests.targets import given_of, settings_of

if TYPE_CHECKING:
    from pathlib import Path

    from agent.settings.settings import Settings
    from tests.label_studio import Server
    from tests.serving import Served
    from tests.targets import LabelStudios

pytestmark = pytest.mark.timeout(900)  # whoever comes first installs the server

POST_SECONDS = 1.5


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have requests be over soon."""
    monkeypatch.setattr(assembly, "label_studio_of", lambda settings: client_of(settings, POST_SECONDS))


def is_each_once(world: LabelStudios, chosen: Settings) -> None:
    kept = query(chosen.ledger_path, "select reference_id, job_id, state, attempts from jobs order by reference_id")
    assert world.references() == sorted(row["reference_id"] for row in kept)
    assert {row["reference_id"]: row["job_id"] for row in kept} == world.job_ids()


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
    with contextlib.closing(Ledger(chosen.ledger_path, utc_now, late=POST_SECONDS)) as ledger, ledger.transaction():
        (held,) = orders.in_states(ledger, {State.HELD})
        assert orders.resubmit(ledger, held)


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
