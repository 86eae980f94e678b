"""SIGHUP and a running agent: what can change does, the rest is named, and what is wrong changes nothing."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import socket
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from agent.service.reload import Reload
from agent.settings import load
from agent.settings.changes import changes
from agent.settings.parts import how_to_mend_the_key
from agent.settings.variables import VARIABLES
from tests.support import KEY, Playment, command, environ, eventually, image, process, query, settings, write

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from agent.settings.settings import Settings

LIVE = {"PLAYMENT_API_KEY", "SUBMIT_JOBS_PER_MINUTE", "SUBMIT_LIMIT_JOBS_PER_DAY", "SUBMIT_LIMIT_FRAMES_PER_DAY"}
LIVE |= {"LOG_LEVEL", "LOG_FORMAT"}


@pytest.fixture
def server() -> Iterator[Playment]:
    with Playment() as running:
        yield running


class Reloaded:
    """An agent whose settings are in a file, as the service's are, and its key in another."""

    def __init__(self, place: Path, server: Playment) -> None:
        self.place = place
        self.given = {**environ(place, server.url), "PLAYMENT_API_KEY_FILE": str(place / "key")}
        del self.given["PLAYMENT_API_KEY"]
        self.key(KEY)
        self.write()

    def write(self, **changed: str) -> None:
        lines = [f"{name}={value}" for name, value in {**self.given, **changed}.items()]
        (self.place / "new.env").write_text("\n".join(lines))
        (self.place / "new.env").rename(self.place / "agent.env")

    def key(self, text: str) -> None:
        (self.place / "key").write_text(text)

    @contextlib.contextmanager
    def running(self) -> Iterator[subprocess.Popen[str]]:
        with process("--env-file", "agent.env", "run", environ={}, cwd=self.place) as agent:
            eventually(lambda: "watches" in self.log())
            yield agent
            agent.terminate()
            assert agent.wait(20) == 0

    def log(self) -> str:
        return (self.place / "agent.log").read_text()

    def states(self) -> list[str]:
        return [row["state"] for row in query(self.place / "ledger.db", "select state from jobs order by path")]


def test_the_settings_that_can_change_are_those_that_are_marked(tmp_path: Path) -> None:
    now = settings(tmp_path, "http://127.0.0.1:9")
    new = settings(
        tmp_path,
        "http://127.0.0.1:9",
        PLAYMENT_API_KEY="another",
        SUBMIT_JOBS_PER_MINUTE="7",
        SUBMIT_LIMIT_JOBS_PER_DAY="8",
        SUBMIT_LIMIT_FRAMES_PER_DAY="9",
        LOG_LEVEL="DEBUG",
        LOG_FORMAT="json",
        SETTLE_SECONDS="5",
        PLAYMENT_TAG="cars",
        IMAGE_FORMATS="jpeg,tiff",
        IMAGE_MAX_PIXELS="1000",
    )
    found = changes(now, new)
    others = {"PLAYMENT_API_KEY_FILE", "LABEL_STUDIO_TOKEN", "LABEL_STUDIO_TOKEN_FILE"}
    assert set(found.live) == LIVE == {each.name for each in VARIABLES if each.live} - others
    assert set(found.waiting) == {"SETTLE_SECONDS", "PLAYMENT_TAG", "IMAGE_FORMATS", "IMAGE_MAX_PIXELS"}
    assert found.settings.playment_api_key.reveal() == "another"
    assert found.settings.settle_seconds == now.settle_seconds
    assert changes(found.settings, new)[:2] == ((), found.waiting), "what waits for a restart is said each time"
    assert changes(now, now) == ((), (), now)


def test_a_limit_is_raised_while_it_runs_and_what_needs_a_restart_is_named(tmp_path: Path, server: Playment) -> None:
    agent = Reloaded(tmp_path, server)
    agent.write(SUBMIT_LIMIT_JOBS_PER_DAY="1")
    with agent.running() as running:
        write(tmp_path / "inbox" / "a.jpg", image(1))
        eventually(lambda: agent.states() == ["submitted"])
        write(tmp_path / "inbox" / "b.jpg", image(2))
        eventually(lambda: query(tmp_path / "ledger.db", "select 1 from jobs where error_code = 'spend'"))
        agent.write(SUBMIT_LIMIT_JOBS_PER_DAY="5", LOG_FORMAT="json", SETTLE_SECONDS="0.3")
        running.send_signal(signal.SIGHUP)
        eventually(lambda: agent.states() == ["submitted", "submitted"])
    assert "obeyed from now on: SUBMIT_LIMIT_JOBS_PER_DAY, LOG_FORMAT" in agent.log()
    assert "obeyed after a restart: SETTLE_SECONDS" in agent.log()
    assert '"level": "INFO"' in agent.log()


def test_wrong_settings_change_nothing_and_are_said(tmp_path: Path, server: Playment) -> None:
    agent = Reloaded(tmp_path, server)
    with agent.running() as running:
        agent.write(LOG_FORMAT="json", SUBMIT_JOBS_PER_MINUTE="many")
        running.send_signal(signal.SIGHUP)
        eventually(lambda: "refused, and nothing is changed: SUBMIT_JOBS_PER_MINUTE is 'many'" in agent.log())
        agent.write()
        agent.key("not öne")
        running.send_signal(signal.SIGHUP)
        eventually(lambda: "does not hold a key" in agent.log())
        agent.key("umläut")
        running.send_signal(signal.SIGHUP)
        eventually(lambda: "must be printable ASCII" in agent.log())
        write(tmp_path / "inbox" / "a.jpg", image(1))
        eventually(lambda: agent.states() == ["submitted"])
    assert '"level"' not in agent.log()
    assert "umläut" not in agent.log()


def test_a_key_that_was_replaced_is_taken_by_a_reload(tmp_path: Path, server: Playment) -> None:
    agent = Reloaded(tmp_path, server)
    results = tmp_path / "results"
    results.mkdir()
    agent.given["RESULTS_DIR"] = str(results)
    agent.key("revoked")
    agent.write()
    with agent.running() as running:
        write(tmp_path / "inbox" / "a.jpg", image(1))
        eventually(lambda: "refuses the key or the project" in agent.log())
        assert f"Put the right key into PLAYMENT_API_KEY_FILE ('{tmp_path}/key')" in agent.log()
        told = command("--env-file", "agent.env", "status", environ={}, cwd=tmp_path)
        assert (told.returncode, "Put the right key into" in told.stdout) == (3, True)
        agent.key(KEY)
        running.send_signal(signal.SIGHUP)
        eventually(lambda: "obeyed from now on: PLAYMENT_API_KEY" in agent.log())
        running.send_signal(signal.SIGHUP)
        eventually(lambda: "nothing that can change now did" in agent.log())
        eventually(lambda: agent.states() == ["submitted"])


def test_a_new_key_alone_is_taken_while_the_key_is_refused(tmp_path: Path) -> None:
    now = settings(tmp_path, "http://127.0.0.1:9")
    there = {"PLAYMENT_API_KEY": KEY}
    obeyed: list[Settings] = []
    reload = Reload(now, lambda: settings(tmp_path, "http://127.0.0.1:9", **there))
    reload.follow(obeyed.append)
    reload.take_key()
    there |= {"LOG_LEVEL": "ERROR", "SUBMIT_JOBS_PER_MINUTE": "many"}
    reload.take_key()
    there |= {"PLAYMENT_API_KEY": "umläut", "SUBMIT_JOBS_PER_MINUTE": "7"}
    reload.take_key()
    assert (obeyed, reload.trouble) == ([], "")
    there["PLAYMENT_API_KEY"] = "another"
    reload.take_key()
    reload.take_key()
    assert [each.playment_api_key.reveal() for each in obeyed] == ["another"]
    assert replace(obeyed[0], playment_api_key=now.playment_api_key) == now


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ({"PLAYMENT_API_KEY": "k"}, "a file of settings is read again every minute"),
        (
            {"PLAYMENT_API_KEY_FILE": "key"},
            "into PLAYMENT_API_KEY_FILE ('key'): while sending is blocked it is read again",
        ),
        ({"PLAYMENT_API_KEY_FILE": "playment_api_key"}, "while sending is blocked it is read again"),
        (
            {"PLAYMENT_API_KEY_FILE": "./key", "CREDENTIALS_DIRECTORY": "."},
            "where the unit's LoadCredential= has it and restart the service",
        ),
        ({"CREDENTIALS_DIRECTORY": "."}, "where the unit's LoadCredential= has it and restart the service"),
    ],
)
def test_what_to_do_about_a_refused_key_goes_by_where_it_was_read(
    tmp_path: Path, place: dict[str, str], words: str
) -> None:
    for name in ("key", "playment_api_key"):
        (tmp_path / name).write_text(KEY)
    given = environ(tmp_path, "http://127.0.0.1:9")
    del given["PLAYMENT_API_KEY"]
    assert words in how_to_mend_the_key(load.load({**given, **place}, tmp_path, None))


def test_systemd_is_told_when_a_reload_begins_and_ends(tmp_path: Path, server: Playment) -> None:
    agent = Reloaded(tmp_path, server)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20)

        def awaited(head: str) -> str:
            while not (said := systemd.recv(4096).decode()).startswith(head):
                pass
            return said

        with process(
            "--env-file", "agent.env", "run", environ={"NOTIFY_SOCKET": str(tmp_path / "notify")}, cwd=tmp_path
        ) as running:
            awaited("READY=1")
            running.send_signal(signal.SIGHUP)
            name, _, microseconds = awaited("RELOADING=1\n").splitlines()[1].partition("=")
            assert (name, microseconds.isdecimal()) == ("MONOTONIC_USEC", True)
            awaited("READY=1")
            agent.write(LOG_LEVEL="LOUD")
            running.send_signal(signal.SIGHUP)
            awaited("RELOADING=1\n")
            awaited("READY=1")
            assert "the new settings are refused" in awaited("STATUS=0 submitted")


def test_a_terminal_that_goes_away_stops_the_agent_as_ever(tmp_path: Path, server: Playment) -> None:
    surroundings = {**os.environ, **environ(tmp_path, server.url)}
    child, terminal = pty.fork()
    if child == 0:
        os.execve(sys.executable, [sys.executable, "-m", "agent", "run"], surroundings)
    said = b""
    while b"watches" not in said:
        said += os.read(terminal, 4096)
    os.kill(child, signal.SIGHUP)
    while b"settings read again" not in said:
        said += os.read(terminal, 4096)
    os.close(terminal)
    # 120 where Python could not write its last words there.
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) in (0, 120)
    assert [row["event"] for row in query(tmp_path / "ledger.db", "select event from events")] == ["started", "stopped"]
