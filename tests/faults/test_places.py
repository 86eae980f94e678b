"""Where things must not lie, and what must not reach a terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING

from agent.sandbox.server import Answer
from tests.support import Playment, command, environ, image, query, used_ledger, write

if TYPE_CHECKING:
    from pathlib import Path

    from agent.sandbox.server import Request

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31mred"


def test_settings_or_a_ledger_in_the_watch_folder_are_refused(tmp_path: Path) -> None:
    with Playment() as playment:
        surroundings = environ(tmp_path, playment.url)
        inbox = tmp_path / "inbox"
        write(inbox / "a.jpg", image(1))
        write(inbox / "served.env", b"PLAYMENT_TAG=boxes\n")
        (tmp_path / "link.env").symlink_to(inbox / "served.env")
        (tmp_path / "door").symlink_to(inbox)
        env_files = {"run": "inbox/served.env", "plan": "link.env", "baseline": "door/served.env", "check": "link.env"}
        for name, env_file in env_files.items():
            refused = command("--env-file", env_file, name, environ=surroundings, cwd=tmp_path)
            assert refused.returncode == 2, refused.stderr
            assert "lies in the watch folder" in refused.stdout + refused.stderr
            assert "Traceback" not in refused.stderr
        ledgers = {"run": inbox / "ledger.db", "plan": inbox / "deep" / "ledger.db", "baseline": "door/ledger.db"}
        for name, ledger in ledgers.items():
            refused = command(name, environ={**surroundings, "LEDGER_PATH": str(ledger)}, cwd=tmp_path)
            assert refused.returncode == 2, refused.stderr
            assert "LEDGER_PATH" in refused.stdout + refused.stderr
        assert sorted(os.listdir(inbox)) == ["a.jpg", "served.env"]
        assert not list(tmp_path.glob("ledger.db*"))
        assert playment.jobs == []


class Rude(Playment):
    """Refuses every job with a message that would take over a terminal."""

    def _call(self, call: str, request: Request) -> Answer:
        error = {"code": f"FS_9{EVIL}", "message": f"no {EVIL}\nINFO submitted everything"}
        return Answer(400, {"error": error, "success": False})


def on_a_terminal(*arguments: str, surroundings: dict[str, str], cwd: Path) -> str:
    """Run a command with a terminal as its output, and return all that reached it."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "agent", *arguments],
        env={**os.environ, "TERM": "xterm", "COLUMNS": "200", **surroundings},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    ) as running:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:
            pass  # how a terminal tells that its last writer is gone
        finally:
            os.close(ours)
        running.wait(timeout=30)
    return shown.decode(errors="surrogateescape")


def test_escapes_of_names_and_messages_reach_no_terminal(tmp_path: Path) -> None:
    with Rude() as playment:
        surroundings = environ(tmp_path, playment.url)
        inbox = tmp_path / "inbox"
        used_ledger(tmp_path)
        write(inbox / f"{EVIL}.jpg", image(1))
        write(inbox / f"text{EVIL}.jpg", b"no image at all, but a text")
        write(inbox / f"drive{EVIL}" / f"frame{EVIL}_1.jpg", image(2))
        evil = EVIL.encode().decode(errors="surrogateescape")
        shown = on_a_terminal("plan", surroundings=surroundings, cwd=tmp_path)
        assert "\\x1b]0;owned" in shown
        for arguments in (
            ["run", "--once"],
            ["status"],
            ["explain", f"inbox/{EVIL}.jpg"],
            ["retry", f"{EVIL}.jpg"],
            ["dismiss", f"drive{EVIL}"],
            ["retry", f"none{EVIL}"],
            ["--env-file", f"none{EVIL}", "run"],
        ):
            shown += on_a_terminal(*arguments, surroundings=surroundings, cwd=tmp_path)
        as_json = command("run", "--once", environ={**surroundings, "LOG_FORMAT": "json"}, cwd=tmp_path)
        odd_setting = command("run", environ={**surroundings, "SETTLE_SECONDS": EVIL}, cwd=tmp_path)
        assert query(tmp_path / "ledger.db", "select count(*) as n from jobs where state = 'failed'")[0]["n"] == 1
    assert evil not in shown
    for piece in ("\x1b]0;", "\x07", "\x9b", "\x1b[2J"):
        assert piece not in shown + as_json.stderr + odd_setting.stderr, (piece, shown)
    assert not re.search(r"^INFO submitted", shown, re.MULTILINE)
    for line in as_json.stderr.splitlines():
        assert json.loads(line)["level"] in ("INFO", "WARNING", "ERROR")
    assert odd_setting.returncode == 2
