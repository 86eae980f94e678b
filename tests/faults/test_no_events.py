"""A file system whose changes come from elsewhere and send no event: recognised, polled, and complete."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from agent.host import mounts
from tests.faults.mounting import mounted, needs_fuse
from tests.faults.watching import Watching, picture
from tests.support import write

if TYPE_CHECKING:
    from pathlib import Path

SETTLE = 1.0

pytestmark = needs_fuse


def test_a_folder_that_comes_through_fuse(tmp_path: Path) -> None:
    source = tmp_path / "far away"
    write(source / "before.jpg", picture(1))
    changed = {"WATCH_MODE": "auto", "WATCH_POLL_SECONDS": "0.5", "SETTLE_SECONDS": f"{SETTLE}"}
    with (
        mounted(source, tmp_path / "inbox"),
        Watching(tmp_path, **changed, SEQUENCE_SETTLE_SECONDS=f"{SETTLE}") as agent,
    ):
        assert mounts.filesystem_kind(agent.inbox).fuse
        assert agent.value("watch_mode") == "poll"
        assert "tells of no remote changes" in agent.said()
        for number in range(500):
            write(source / f"shot {number % 10}" / f"frame_{number}.jpg", picture(10 + number))
            write(source / f"single_{number}.jpg", picture(1000 + number))
        for turn in range(6):  # grows for longer than it must be quiet
            last_at = time.monotonic()
            write(source / "slow" / f"frame_{turn}.jpg", picture(2000 + turn))
            time.sleep(SETTLE / 4)
        agent.wait(lambda: agent.counts() == {"pending": (512, 1007)})
        assert time.monotonic() >= last_at + SETTLE
        assert agent.events("slow") == ["pending"], "it was taken before it was complete"
        # Rewritten in place with as many bytes: only the file itself shows it, its folder does not.
        write(source / "shot 3" / "frame_3.jpg", picture(3000))
        agent.wait(lambda: agent.events("shot 3") == ["pending", "settling", "pending"])
        shutil.rmtree(source / "shot 4")
        (source / "single_0.jpg").unlink()
        agent.wait(lambda: agent.counts() == {"pending": (510, 956), "gone": (2, 51)})
        assert agent.stop() == 0
