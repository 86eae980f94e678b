"""What is not there yet when the service starts: waited for, told to systemd and in the log, and taken up by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.faults.mounting import needs_fuse
from tests.integration.test_service import Systemd, systemd
from tests.support import KEY, Playment, command, environ, eventually, image, process, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["systemd"]

MOVED = {"watch folder": "WATCH_DIR", "results folder": "RESULTS_DIR", "key file": "PLAYMENT_API_KEY_FILE"}


def lacking(place: Path, url: str, what: str) -> tuple[dict[str, str], Callable[[], object]]:
    """Return settings that name something that is not there, and what brings it."""
    late = place / "late"
    surroundings = environ(place, url, **{MOVED[what]: str(late)})
    if what == "key file":
        del surroundings["PLAYMENT_API_KEY"]
        return surroundings, lambda: write(late, f"{KEY}\n".encode())
    return surroundings, late.mkdir


@pytest.mark.parametrize("what", MOVED)
def test_it_is_waited_for(tmp_path: Path, systemd: Systemd, what: str) -> None:
    with Playment() as playment:
        surroundings, bring = lacking(tmp_path, playment.url, what)
        for once in (("run", "--once"), ("check",)):
            refused = command(*once, environ=surroundings, cwd=tmp_path)
            assert refused.returncode == 2, refused.stderr
            assert MOVED[what] in refused.stdout + refused.stderr
        with process("run", environ={**surroundings, "NOTIFY_SOCKET": str(systemd.path)}, cwd=tmp_path) as agent:
            eventually(lambda: any(told.startswith("STATUS=waiting: ") for told in systemd.messages))
            assert systemd.messages[0] == "READY=1"
            eventually(lambda: systemd.messages.count("WATCHDOG=1") >= 3)
            assert agent.poll() is None
            said = (tmp_path / "agent.log").read_text()
            assert said.count("WARNING not started yet: ") == 1, said
            assert MOVED[what] in said
            bring()
            inbox = tmp_path / "late" if what == "watch folder" else tmp_path / "inbox"
            write(inbox / "a.jpg", image(1))
            eventually(lambda: playment.paths() == ["a.jpg"])
            eventually(lambda: not _status(systemd).startswith("STATUS=waiting: "))
            agent.send_signal(signal.SIGTERM)
            assert agent.wait(timeout=25) == 0


def _status(systemd: Systemd) -> str:
    """Return the last STATUS."""
    return next(told for told in reversed(systemd.messages) if told.startswith("STATUS="))


def test_a_stop_while_it_waits_ends_it_at_once(tmp_path: Path, systemd: Systemd) -> None:
    surroundings, _ = lacking(tmp_path, "http://127.0.0.1:9", "watch folder")
    with process("run", environ={**surroundings, "NOTIFY_SOCKET": str(systemd.path)}, cwd=tmp_path) as agent:
        eventually(lambda: "READY=1" in systemd.messages)
        started = time.monotonic()
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(timeout=10) == 0
        assert time.monotonic() - started < 2
        assert systemd.messages[-1] == "STOPPING=1"
    assert not (tmp_path / "ledger.db").exists()


def test_wrong_settings_are_told_at_once_also_beside_what_may_come(tmp_path: Path) -> None:
    surroundings, _ = lacking(tmp_path, "http://127.0.0.1:9", "watch folder")
    wrong = command("run", environ={**surroundings, "SETTLE_SECONDS": "soon"}, cwd=tmp_path)
    assert wrong.returncode == 2
    assert "SETTLE_SECONDS is 'soon'" in wrong.stderr
    assert "WATCH_DIR is" in wrong.stderr
    write(tmp_path / "late", b"a file")
    for name in ("WATCH_DIR", "RESULTS_DIR"):
        file = command("run", environ={**surroundings, name: str(tmp_path / "late")}, cwd=tmp_path)
        assert file.returncode == 2, file.stderr


def test_it_is_said_again_once_a_minute(tmp_path: Path) -> None:
    surroundings, _ = lacking(tmp_path, "http://127.0.0.1:9", "watch folder")
    program = (
        "import sys; from agent.service import waiting; from agent.__main__ import main; "
        "waiting.SAY_SECONDS = 4.0; sys.argv[1:] = ['run']; main()"
    )
    with (
        open(tmp_path / "agent.log", "a", encoding="utf-8") as log,
        subprocess.Popen(
            [sys.executable, "-c", program], env={**os.environ, **surroundings}, cwd=tmp_path, stderr=log
        ) as agent,
    ):
        try:
            eventually(lambda: (tmp_path / "agent.log").read_text().count("not started yet") == 3)
        finally:
            agent.kill()


@needs_fuse
def test_a_mount_whose_server_is_dead(tmp_path: Path, systemd: Systemd) -> None:
    (tmp_path / "source").mkdir()
    with Playment() as playment:
        surroundings = environ(tmp_path, playment.url, NOTIFY_SOCKET=str(systemd.path))
        inbox = tmp_path / "inbox"
        mount = [sys.executable, "-m", "tests.faults.fuse_loopback", str(tmp_path / "source"), str(inbox)]
        root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
        with subprocess.Popen(mount, cwd=root) as server:
            eventually(inbox.is_mount)
            server.kill()
        try:
            with process("run", environ=surroundings, cwd=tmp_path) as agent:
                eventually(lambda: any("Transport endpoint is not connected" in told for told in systemd.messages))
                subprocess.run(["fusermount3", "-u", "-z", str(inbox)], check=True)
                write(inbox / "a.jpg", image(1))
                eventually(lambda: playment.paths() == ["a.jpg"])
                agent.send_signal(signal.SIGTERM)
                assert agent.wait(timeout=25) == 0
        finally:
            subprocess.run(["fusermount3", "-u", "-z", str(inbox)], check=False, capture_output=True)
