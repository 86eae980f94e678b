"""`check` against real parts: the sandbox, a served folder, ledgers in every state, and what is wrong with each."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import random
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from agent.commands import cli
from agent.core.names import Filters
from agent.demo.files import FileServer
from agent.demo.pictures import picture
from agent.folder.scanner import Scanner
from agent.host import mounts
from agent.host.clock import utc_now
from agent.host.inotify_limits import InotifyLimits, inotify_limits
from agent.ledger.store import Ledger
from agent.reporting.checks import Level
from agent.reporting.checks.folder import Survey, check_folder, check_noticing, survey
from agent.reporting.checks.ledger import check_ledger
from agent.reporting.checks.remote import check_publishing, check_target
from agent.sandbox import Sandbox
from agent.settings import load
from agent.settings.parts import filters_of, world_of
from tests.fakes import Scripted, failure, http, sends

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.reporting.checks import Check
    from agent.settings.settings import Settings

KEY = "a-very-secret-key"


@dataclass
class SetUp:
    """A set-up in which all is right; `environ` is changed by tests."""

    folder: Path
    inbox: Path
    sandbox: Sandbox
    environ: dict[str, str] = field(default_factory=dict)

    def settings(self, **changed: str) -> Settings:
        return load.load({**self.environ, **changed}, self.folder, None)

    def check(self, *arguments: str, **changed: str) -> tuple[int, str]:
        told = CliRunner().invoke(cli, ["check", *arguments], env={**self.environ, **changed})
        assert told.exception is None or isinstance(told.exception, SystemExit), told.exception
        assert KEY not in told.output
        return told.exit_code, told.output

    def ledger(self) -> Ledger:
        ledger = Ledger(self.folder / "ledger.db", utc_now)
        ledger.bind(world_of(self.settings()))
        return ledger


@pytest.fixture
def kept_logging() -> Iterator[None]:
    """The command sets up logging for its whole process, which is the tests' here."""
    loggers = [logging.getLogger(name) for name in ("", "watchdog", "urllib3", "requests", "PIL")]
    before = [(logger, logger.handlers[:], logger.level) for logger in loggers]
    yield
    for logger, handlers, level in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept_logging: None) -> Iterator[SetUp]:
    inbox = tmp_path / "inbox"
    (inbox / "cam").mkdir(parents=True)
    (inbox / "cam" / "frame 1.jpg").write_bytes(picture(0, 1, "JPEG"))
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith(("PLAYMENT_", "WATCH_", "PUBLISH_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    server = FileServer(Scanner(inbox, Filters.of(())))
    with Sandbox(rng=random.Random(1), api_key=KEY, project_id="p1") as sandbox, server:
        environ = {
            "PLAYMENT_API_KEY": KEY,
            "PLAYMENT_PROJECT_ID": "p1",
            "PLAYMENT_TAG": "cars",
            "PLAYMENT_BASE_URL": sandbox.url,
            "WATCH_DIR": str(inbox),
            "PUBLISH_TO": server.url,
            "LEDGER_PATH": str(tmp_path / "ledger.db"),
        }
        yield SetUp(tmp_path, inbox, sandbox, environ)


def levels(checks: list[Check]) -> list[Level]:
    return [each.level for each in checks]


def test_all_is_right_and_nothing_is_made(setup: SetUp) -> None:
    before = sorted(setup.folder.rglob("*"))
    code, told = setup.check()
    assert code == 0, told
    assert [line.split()[0] for line in told.splitlines()] == ["ok"] * len(told.splitlines())
    for text in ("'cars'", "'p1'", "'Default'", "frame%201.jpg can be fetched", "2 folders", "is not there yet"):
        assert text in told, text
    assert sorted(setup.folder.rglob("*")) == before
    assert setup.sandbox.jobs == []
    assert set(setup.sandbox.requests) == {"details", "batch_jobs"}


def test_json_has_the_same(setup: SetUp) -> None:
    code, told = setup.check("--json", PLAYMENT_BATCH="day")
    answer: dict[str, Any] = json.loads(told)
    assert code == answer["exit_code"] == 0
    assert {each["level"] for each in answer["checks"]} == {"ok"}
    assert any(each["part"] == "batch" and "{day}" in each["text"] for each in answer["checks"])


def test_every_problem_of_the_settings_is_a_line(setup: SetUp) -> None:
    code, told = setup.check(SETTLE_SECONDS="soon", PLAYMENT_TAG="")
    assert code == 2
    lines = told.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("FAIL  settings") for line in lines)


def test_a_wrong_key_or_project_is_three_and_the_rest_is_tried_all_the_same(setup: SetUp) -> None:
    for changed in ({"PLAYMENT_API_KEY": "wrong"}, {"PLAYMENT_PROJECT_ID": "p2"}):
        code, told = setup.check(**changed)
        assert code == 3, told
        assert "FAIL  Playment" in told
        assert "check PLAYMENT_API_KEY and PLAYMENT_PROJECT_ID" in told
        assert "can be fetched" in told


def test_a_playment_that_is_not_there(setup: SetUp) -> None:
    with Scripted(sends(failure(404, "not_found", "no such thing"))) as other:
        url = other.url
        code, told = setup.check(PLAYMENT_BASE_URL=url)
    assert code == 1
    assert "no such thing" in told
    code, told = setup.check(PLAYMENT_BASE_URL=url)
    assert code == 1
    assert "no connection to Playment" in told


def test_a_batch_that_the_project_does_not_have(setup: SetUp) -> None:
    batch = "123e4567-e89b-12d3-a456-426614174000"
    code, told = setup.check(PLAYMENT_BATCH=batch)
    assert code == 1
    assert f"no batch {batch}" in told
    assert set(setup.sandbox.requests) == {"details", "batch_jobs"}


def test_a_clock_that_is_wrong_is_told(setup: SetUp) -> None:
    settings = setup.settings()
    late = list(check_target(settings, lambda: time.time() + 3600))[-1]
    early = list(check_target(settings, lambda: time.time() - 3600))[-1]
    assert (late.level, early.level) == (Level.WARN, Level.WARN)
    assert "ahead of" in late.text
    assert "behind" in early.text


def test_what_is_served_must_be_the_file(setup: SetUp) -> None:
    elsewhere = setup.environ["PUBLISH_TO"] + "wrong/"
    code, told = setup.check(PUBLISH_TO=elsewhere)
    assert code == 1
    assert "FAIL  publishing" in told
    assert "answered 404" in told
    code, told = setup.check(PUBLISH_TO=elsewhere, PUBLISH_PROBE="off")
    assert code == 0
    assert "PUBLISH_PROBE is off" in told


def test_without_an_image_publishing_cannot_be_tried(setup: SetUp) -> None:
    (setup.inbox / "cam" / "frame 1.jpg").unlink()
    code, told = setup.check()
    assert code == 0
    assert "warn  publishing" in told
    (setup.inbox / "cam").rmdir()
    settings = setup.settings()
    first, second = check_publishing(settings, None)
    assert settings.publish_to in first.text, "something is fetched all the same"
    assert (second.level, "put one there" in second.text) == (Level.WARN, True)
    with Scripted(sends(http(403, b"no"))) as shut:  # as nginx does for a folder that must not be listed
        elsewhere = setup.settings(PUBLISH_TO=f"{shut.url}/")
        first, _ = check_publishing(elsewhere, None)
    assert (first.level, "403" in first.text) == (Level.OK, True)
    first, _ = check_publishing(elsewhere, None)
    assert (first.level, "Connection refused" in first.text) == (Level.FAIL, True)
    assert levels(list(check_publishing(settings, "cam/gone.jpg"))) == [Level.WARN]


def test_the_walk_counts_and_follows_no_link(setup: SetUp) -> None:
    inbox = setup.inbox
    (inbox / "cam" / "frame 1.jpg").unlink()
    (inbox / ".hidden" / "deep").mkdir(parents=True)
    (inbox / ".hidden" / "no.jpg").write_bytes(b"x")
    (inbox / "link").symlink_to("/")
    (inbox / "link.jpg").symlink_to("/etc/hostname")
    (inbox / "empty.jpg").touch()
    (inbox / os.fsdecode(b"\xff.jpg")).write_bytes(b"x")
    (inbox / "text.txt").write_bytes(b"x")
    filters = filters_of(setup.settings())
    found = survey(str(inbox), filters)
    assert found == Survey(folders=4, links=2, image=None, unreadable=[], names=Counter(jpg=2))
    told = list(check_folder(setup.settings(), found))
    assert levels(told) == [Level.OK, Level.WARN]
    assert "symbolic links lie below it (2)" in told[1].text
    (inbox / "cam" / "a.png").write_bytes(b"x")
    assert survey(str(inbox), filters).image == "cam/a.png"


def test_a_folder_that_cannot_be_listed(setup: SetUp) -> None:
    settings = setup.settings()
    assert levels(list(check_folder(settings, Survey(folders=1, unreadable=[""])))) == [Level.FAIL]
    told = list(check_folder(settings, Survey(folders=3, unreadable=["cam", "b"])))
    assert levels(told) == [Level.OK, Level.FAIL]
    assert "(2; cam is one)" in told[1].text


def test_how_changes_are_noticed(setup: SetUp) -> None:
    assert isinstance(inotify_limits(), InotifyLimits)
    few, many = Survey(folders=2), Survey(folders=10**9)
    assert check_noticing(setup.settings(), few).text.startswith("by events")
    crowded = check_noticing(setup.settings(), many)
    assert crowded.level is Level.WARN
    assert "fs.inotify.max_user_watches=4000000000" in crowded.text
    polled = check_noticing(setup.settings(WATCH_MODE="poll"), many)
    assert (polled.level, "every 10 s" in polled.text) == (Level.OK, True)


def test_a_file_system_that_tells_of_no_remote_changes(setup: SetUp, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = setup.settings()
    line = "36 35 0:40 / / rw,relatime - fuse.sshfs host:/data rw"
    monkeypatch.setattr(mounts, "filesystem_kind", lambda path: mounts.kind_in(line, str(path)))
    polled = check_noticing(settings, Survey(folders=1))
    assert (polled.level, "every 10 s: fuse.sshfs" in polled.text) == (Level.OK, True)
    by_events = check_noticing(replace(settings, watch_mode="events"), Survey(folders=1))
    assert by_events.level is Level.WARN
    assert "WATCH_MODE=auto" in by_events.text


def ledger_checks(settings: Settings, wall: float | None = None) -> list[Check]:
    return list(check_ledger(settings, time.time() if wall is None else wall))


def test_a_ledger_is_looked_into(setup: SetUp) -> None:
    ledger = setup.ledger()
    with contextlib.closing(ledger), ledger.transaction():
        ledger.sql.execute(
            "insert into jobs (path, kind, state, first_seen_at, updated_at) "
            "values ('a.jpg', 'image', 'submitted', '', '')"
        )
        ledger.put(heartbeat_at=datetime.now(UTC).isoformat(), pid="77", paused="1")
    told = ledger_checks(setup.settings())
    assert levels(told) == [Level.OK] * 3
    assert "holds 1 jobs" in told[1].text
    assert told[2].text == "it is not running"
    with contextlib.closing(Ledger(ledger.path, utc_now)) as again, again.transaction():
        again.record(None, "started")
    assert "running (pid 77); sending is paused" in ledger_checks(setup.settings())[2].text
    dead = ledger_checks(setup.settings(), time.time() + 3600)[2]
    assert dead.level is Level.WARN
    assert "not stopped cleanly" in dead.text
    code, output = setup.check(PLAYMENT_PROJECT_ID="p9", PLAYMENT_BASE_URL=setup.sandbox.url)
    assert code == 3
    assert "PLAYMENT_PROJECT_ID was 'p1' and is now 'p9'" in output
    code, output = setup.check(REFERENCE_ID="{name}~{digest}")
    assert code == 2
    assert "REFERENCE_ID was" in output


def test_a_ledger_that_cannot_be_used(setup: SetUp) -> None:
    path = setup.folder / "ledger.db"
    path.write_bytes(b"this is no database, and it is long enough to be looked at" * 20)
    assert levels(ledger_checks(setup.settings())) == [Level.OK, Level.FAIL]
    path.unlink()
    with contextlib.closing(setup.ledger()) as ledger:
        ledger.sql.execute("pragma user_version = 99")
    newer = ledger_checks(setup.settings())[-1]
    assert (newer.level, newer.exit_code) == (Level.FAIL, 2)
    assert "newer playment-agent" in newer.text


def test_a_damaged_ledger_is_found(setup: SetUp) -> None:
    with contextlib.closing(setup.ledger()) as ledger:
        ledger.sql.execute("pragma wal_checkpoint(truncate)")
        root = ledger.sql.execute("select rootpage from sqlite_master where name = 'jobs_state'").fetchone()[0]
        size = ledger.sql.execute("pragma page_size").fetchone()[0]
    with open(ledger.path, "r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)
    last = ledger_checks(setup.settings())[-1]
    assert last.level is Level.FAIL
    assert "backup" in last.text


def test_an_empty_file_and_a_missing_folder(setup: SetUp) -> None:
    (setup.folder / "ledger.db").touch()
    assert "is empty" in ledger_checks(setup.settings())[-1].text
    code, told = setup.check(LEDGER_PATH=str(setup.folder / "none" / "ledger.db"))
    assert code == 1
    assert "cannot be written to" in told
