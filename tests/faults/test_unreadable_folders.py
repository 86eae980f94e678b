"""Folders that the agent's user may not list (root's umask 077, an `rsync -a` of a 0700 folder): told, and no more."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.faults.watching import Watching, picture
from tests.support import Agent, Playment, environ, eventually, query, run, settings, used_ledger, write

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import CompletedProcess

POWERLESS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
"""Root without these two capabilities is held to the modes of files as any service's user is."""
LONG_AGO = "update agent set value = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-121 seconds') where key = 'unlisted_since'"


def fill(inbox: Path) -> None:
    write(inbox / "a.jpg", picture(1))
    for name in ("open", "shut", "shut/inner"):
        for number in range(3):
            write(inbox / name / f"frame_{number}.jpg", picture(len(name) * 10 + number))
    (inbox / "shut").chmod(0)


def powerless(*arguments: str, place: Path, url: str = "http://127.0.0.1:9") -> CompletedProcess[str]:
    surroundings = environ(place, url, WATCH_MODE="auto")
    return run([*POWERLESS, sys.executable, "-m", "agent", *arguments], environ=surroundings, cwd=place)


def test_it_is_told_and_changes_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    fill(tmp_path / "inbox")
    used_ledger(tmp_path)
    with Watching(tmp_path, prefix=POWERLESS, WATCH_MODE="auto") as agent:
        agent.wait(lambda: agent.counts() == {"pending": (2, 4)})
        told = "the folder shut cannot be opened: Permission denied"
        agent.wait(lambda: told in agent.told())
        agent.wait(lambda: agent.value("unlisted").startswith(told))
        # Two sweeps, of two seconds each, look whether all folders are watched; it says each second how it stands.
        said = len(agent.statuses)
        agent.wait(lambda: len(agent.statuses) > said + 5)
        assert agent.value("watch_mode") == "events"
        assert "polling" not in agent.said()
        assert "fs.inotify" not in agent.said()
        now = powerless("status", place=tmp_path)
        assert now.returncode == 0
        assert f"UNREADABLE since {agent.value('unlisted_since')}: {told}" in now.stdout
        waits = ("-cmd", ".timeout 20000")  # for the agent, which writes, too: the program gives up at once
        assert run(["sqlite3", *waits, str(agent.ledger), LONG_AGO], environ={}, cwd=tmp_path).returncode == 0
        assert powerless("status", place=tmp_path).returncode == 1
        (agent.inbox / "shut").chmod(0o755)
        agent.wait(lambda: agent.counts() == {"pending": (4, 10)})
        agent.wait(lambda: told not in agent.told())
        agent.wait(lambda: agent.value("unlisted") == agent.value("unlisted_since") == "")
        assert powerless("status", place=tmp_path).returncode == 0
        assert agent.times_said(told) == 1
        assert agent.stop() == 0


def test_what_is_gone_elsewhere_is_found_all_the_same(tmp_path: Path) -> None:
    """What went while nobody looked: but not what lies below a folder that cannot be listed."""
    (tmp_path / "inbox").mkdir()
    fill(tmp_path / "inbox")
    (tmp_path / "inbox" / "shut").chmod(0o755)
    with Watching(tmp_path, prefix=POWERLESS) as agent:
        agent.wait(lambda: agent.counts() == {"pending": (4, 10)})
        assert agent.stop() == 0
    for name in ("open", "shut"):
        for file in (tmp_path / "inbox" / name).glob("*.jpg"):
            file.unlink()
    (tmp_path / "inbox" / "open").rmdir()
    (tmp_path / "inbox" / "shut").chmod(0)
    (tmp_path / "notify").unlink()
    with Watching(tmp_path, prefix=POWERLESS) as agent:
        agent.wait(lambda: ("open", "gone") in agent.states())
        assert agent.counts()["pending"] == (3, 7)
        (agent.inbox / "shut").chmod(0o755)
        agent.wait(lambda: ("shut", "gone") in agent.states())
        assert agent.counts()["pending"] == (2, 4)
        assert agent.stop() == 0


def test_plan_and_baseline_go_on_beside_one(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    fill(tmp_path / "inbox")
    write(tmp_path / "inbox" / "theirs.jpg", picture(9)).chmod(0)
    for name in ("a.jpg", "theirs.jpg", *(f"open/frame_{number}.jpg" for number in range(3))):
        os.utime(tmp_path / "inbox" / name, (1, 1))
    with Playment() as playment:
        planned = powerless("plan", place=tmp_path, url=playment.url)
        assert planned.returncode == 0, planned.stderr
        lines = {line.split()[3]: line for line in planned.stdout.splitlines()[1:] if len(line.split()) > 3}
        assert "the folder shut cannot be opened: Permission denied" in lines["shut"]
        assert {"a.jpg", "open"} <= lines.keys()
        done = powerless("baseline", place=tmp_path, url=playment.url)
        assert done.returncode == 1, done.stderr
        assert "3 units are ignored" in done.stdout
        assert "the folder shut cannot be opened: Permission denied: what is in it is not ignored" in done.stdout
        assert "theirs.jpg: it may not be read" in done.stderr
        rows = query(tmp_path / "ledger.db", "select path, state from jobs order by path")
        assert [(row["path"], row["state"]) for row in rows] == [
            ("a.jpg", "ignored"),
            ("open", "ignored"),
            ("theirs.jpg", "ignored"),
        ]
        # Once it can be read, it is what it was: there before.
        for name in ("shut", "theirs.jpg"):
            (tmp_path / "inbox" / name).chmod(0o755)
        with Agent(settings(tmp_path, playment.url)) as agent:
            eventually(lambda: playment.paths() == ["shut", "shut/inner"])
            agent.rests()
            assert agent.states("theirs.jpg") == ["ignored"]


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's file can be made by root alone")
def test_a_folder_that_came_by_rsync_as_root(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    with Watching(tmp_path, prefix=POWERLESS, WATCH_MODE="auto") as agent:
        folder = agent.inbox / "theirs"
        write(folder / "frame_1.jpg", picture(1))
        os.chown(folder, 12345, 12345)
        folder.chmod(0o700)
        agent.wait(lambda: "the folder theirs cannot be opened: Permission denied" in agent.told())
        write(agent.inbox / "ours.jpg", picture(2))
        agent.wait(lambda: ("ours.jpg", "pending") in agent.states())
        assert agent.value("watch_mode") == "events"
        folder.chmod(0o755)
        agent.wait(lambda: ("theirs", "pending") in agent.states())
        assert agent.stop() == 0
