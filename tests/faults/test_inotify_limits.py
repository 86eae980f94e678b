"""inotify's limits set low for real, in a user namespace: said, by the sysctl's name, and nothing is lost."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from agent.host import inotify_limits
from tests.faults.watching import NAMESPACE, Watching, namespaces, picture
from tests.support import write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not namespaces(), reason="user namespaces cannot be made here")


def limited(what: str, most: int) -> tuple[str, ...]:
    """Return the command that runs another one with a limit of namespaces(7) on what it and its children may have."""
    return (*NAMESPACE, "sh", "-c", f'echo {most} > /proc/sys/user/max_inotify_{what} && exec "$@"', "sh")


def fill(inbox: Path, first: int) -> None:
    for number in range(first, first + 60):
        write(inbox / f"shot {number}" / "frame_1.jpg", picture(2 * number))
        write(inbox / f"shot {number}" / "frame_2.jpg", picture(2 * number + 1))


@pytest.mark.parametrize("before", [0, 60], ids=["reached later", "reached at the start"])
def test_out_of_watches(tmp_path: Path, before: int) -> None:
    (tmp_path / "inbox").mkdir()
    fill(tmp_path / "inbox", 0)
    changed = {"WATCH_MODE": "auto", "WATCH_POLL_SECONDS": "1"}
    with Watching(tmp_path, prefix=limited("watches", 100 - before), **changed) as agent:
        fill(agent.inbox, 60)
        agent.wait(lambda: agent.counts() == {"pending": (120, 240)})
        agent.wait(lambda: agent.value("watch_mode") == "poll")
        said = agent.said()
        assert "raise fs.inotify.max_user_watches" in said or "fs.inotify.max_user_watches is" in said
        assert "polling every 1 s" in said
        # A file rewritten in a folder that nobody watches: only a listing shows it.
        write(agent.inbox / "shot 119" / "frame_1.jpg", picture(1000))
        agent.wait(lambda: agent.events("shot 119") == ["pending", "settling", "pending"])
        assert agent.stop() == 0


def test_out_of_instances(tmp_path: Path) -> None:
    changed = {"WATCH_MODE": "auto", "WATCH_POLL_SECONDS": "1"}
    with Watching(tmp_path, prefix=limited("instances", 0), **changed) as agent:
        assert agent.value("watch_mode") == "poll"
        assert "raise fs.inotify.max_user_instances; polling every 1 s" in agent.said()
        fill(agent.inbox, 0)
        agent.wait(lambda: agent.counts() == {"pending": (60, 120)})
        assert agent.stop() == 0


def test_more_events_than_the_queue_holds(tmp_path: Path) -> None:
    with Watching(tmp_path) as agent:
        fill(agent.inbox, 0)
        agent.wait(lambda: agent.counts() == {"pending": (60, 120)})
        os.kill(agent.pid, signal.SIGSTOP)
        noise = agent.inbox / "noise.txt"
        for _ in range(
            inotify_limits.inotify_limits().max_queued_events
        ):  # three events each, some read before the stop
            noise.touch()
            noise.unlink()
        # What comes now has no event: new files, and one rewritten in place, which only a listing of its folder shows.
        fill(agent.inbox, 60)
        write(agent.inbox / "shot 0" / "frame_1.jpg", picture(1000))
        os.kill(agent.pid, signal.SIGCONT)
        agent.wait(lambda: agent.counts() == {"pending": (120, 240)})
        agent.wait(lambda: agent.events("shot 0") == ["pending", "settling", "pending"])
        agent.wait(lambda: "events were lost (fs.inotify.max_queued_events is" in agent.said())
        assert agent.stop() == 0
