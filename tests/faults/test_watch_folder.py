"""The watch folder goes away and comes back: said within seconds, nothing read as deleted, and taken up again."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.faults.watching import NAMESPACE, Watching, namespaces, picture
from tests.support import write

pytestmark = pytest.mark.timeout(180)  # a sweep that takes long on a busy machine puts off the next one


def fill(inbox: Path) -> None:
    write(inbox / "first.jpg", picture(1))
    for number in range(1, 4):
        write(inbox / "shot" / f"frame_{number}.jpg", picture(10 + number))


def settled(agent: Watching) -> None:
    agent.wait(lambda: agent.states() == [("first.jpg", "pending"), ("shot", "pending")])


def is_away(agent: Watching) -> None:
    """It is said in the log and to systemd."""
    agent.wait(lambda: "is not there or cannot be listed" in agent.told())
    assert f"the watch folder {agent.inbox} is not there or cannot be listed" in agent.said()


def goes_on(agent: Watching, *others: tuple[str, str]) -> None:
    """Nothing has become `gone`, and what comes now is taken without a restart."""
    write(agent.inbox / "again.jpg", picture(2))
    write(agent.inbox / "another shot" / "frame_1.jpg", picture(20))
    rows = [("again.jpg", "pending"), ("another shot", "pending"), ("first.jpg", "pending"), ("shot", "pending")]
    agent.wait(lambda: agent.states() == sorted([*rows, *others]))
    agent.wait(lambda: "the watch folder" not in agent.told())
    assert "is taken up again" in agent.said()
    write(agent.inbox / "again.jpg", picture(3))  # its events come, too
    agent.wait(lambda: agent.events("again.jpg") == ["pending", "settling", "pending"])
    assert "defect" not in agent.said()
    assert agent.stop() == 0


def test_renamed_away_and_back(tmp_path: Path) -> None:
    with Watching(tmp_path) as agent:
        fill(agent.inbox)
        settled(agent)
        agent.inbox.rename(tmp_path / "elsewhere")
        is_away(agent)
        write(tmp_path / "elsewhere" / "meanwhile.jpg", picture(4))
        (tmp_path / "elsewhere").rename(agent.inbox)
        goes_on(agent, ("meanwhile.jpg", "pending"))


@pytest.mark.parametrize("linger", [True, False], ids=["seen away", "at once"])
def test_deleted_and_made_again(tmp_path: Path, linger: bool) -> None:
    """The files are really gone with it, but a folder that is another one proves nothing of those of the first."""
    with Watching(tmp_path) as agent:
        fill(agent.inbox)
        settled(agent)
        agent.inbox.rename(tmp_path / "doomed")
        if linger:
            is_away(agent)
        agent.inbox.mkdir()
        shutil.rmtree(tmp_path / "doomed")
        agent.wait(lambda: "taken up again" in agent.said())
        goes_on(agent)


def test_made_unreadable_and_readable_again(tmp_path: Path) -> None:
    powerless = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
    with Watching(tmp_path, prefix=powerless) as agent:
        fill(agent.inbox)
        settled(agent)
        agent.inbox.chmod(0)
        is_away(agent)
        agent.inbox.chmod(0o755)
        goes_on(agent)


@pytest.mark.skipif(not namespaces(), reason="user namespaces cannot be made here")
@pytest.mark.parametrize("source", ["--bind disk", "-t tmpfs new"], ids=["the same disk", "another disk"])
def test_unmounted_and_mounted_again(tmp_path: Path, source: str) -> None:
    for name in ("disk", "inbox"):
        (tmp_path / name).mkdir()
    start = 'mount -t tmpfs disk disk && mount --bind disk inbox && exec "$@"'
    with Watching(tmp_path, prefix=(*NAMESPACE, "--mount", "sh", "-c", start, "sh")) as agent:

        def inside(command: str) -> None:
            enter = ("nsenter", f"--target={agent.pid}", "--user", "--mount", "--preserve-credentials")
            subprocess.run([*enter, "sh", "-c", command], cwd=tmp_path, check=True)

        outer, agent.inbox = agent.inbox, Path(f"/proc/{agent.pid}/root{agent.inbox}")
        fill(agent.inbox)
        settled(agent)
        scanned_at = agent.value("last_scan_at")
        inside(f"umount -l {outer}")  # lazily: the agent's lock keeps the folder open
        agent.wait(lambda: f"the watch folder {outer} is not mounted any more" in agent.told())
        assert f"the watch folder {outer} is not mounted any more: nothing in it is taken for deleted" in agent.said()
        agent.wait(lambda: agent.value("last_scan_at") > scanned_at)  # the empty folder below was looked at
        settled(agent)
        inside(f"cd {tmp_path}; mount {source} inbox")
        agent.wait(lambda: "taken up again" in agent.said())
        goes_on(agent)
