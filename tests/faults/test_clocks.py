"""A clock that jumps by a day, either way, and files from 1970 and 2099: nothing stalls, nothing settles early."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.faults.watching import Watching, picture
from tests.support import write

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
DAY = 86_400
AGES = {"1970": 1.0, "2099": 4_087_000_000.0}
SETTLE = 1.5


def settles_once(agent: Watching, name: str, seed: int) -> None:
    """A file and a folder that go on changing for longer than they must be quiet settle once, after the last change."""
    for turn in range(6):
        write(agent.inbox / f"{name}.jpg", picture(seed + turn))
        write(agent.inbox / name / f"frame_{turn}.jpg", picture(seed + turn))
        last_at = time.monotonic()
        time.sleep(SETTLE / 3)
    rows = [(name, "pending"), (f"{name}.jpg", "pending")]
    agent.wait(lambda: set(rows) <= set(agent.states()), 30)
    assert time.monotonic() >= last_at + SETTLE
    assert agent.events(name) == agent.events(f"{name}.jpg") == ["pending"], "it was taken before it was complete"
    assert agent.counts() == {"pending": (len(agent.states()), 7 * len(agent.states()) // 2)}


@pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed (apt-get install faketime)")
def test_the_clock_jumps_by_a_day(tmp_path: Path) -> None:
    clock = write(tmp_path / "clock", b"+0\n")
    changed = {
        "LD_PRELOAD": str(LIBRARIES[0]) if LIBRARIES else "",
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",  # the files keep the times that the kernel wrote, as after a jump of the real clock
        "SETTLE_SECONDS": f"{SETTLE}",
        "SEQUENCE_SETTLE_SECONDS": f"{SETTLE}",
    }

    def jump(seconds: int) -> None:
        """Set the agent's clock to so many seconds from the real one."""
        (tmp_path / "next").write_text(f"{seconds:+d}\n")
        (tmp_path / "next").rename(clock)

    with Watching(tmp_path, **changed) as agent:
        settles_once(agent, "before", 10)
        for number, seconds in enumerate((DAY, 0, -DAY, DAY)):
            jump(seconds)
            settles_once(agent, f"after jump {number}", 20 + 10 * number)
        tomorrow = time.strftime("%Y-%m-%d", time.gmtime(time.time() + DAY))
        assert agent.day("after jump 3") == tomorrow, "the agent's clock was not the faked one"
        write(agent.inbox / "before.jpg", picture(999))
        agent.wait(lambda: agent.events("before.jpg") == ["pending", "settling", "pending"])
        assert agent.stop() == 0


@pytest.mark.parametrize("age", AGES.values(), ids=AGES)
def test_files_and_folders_of_another_age(tmp_path: Path, age: float) -> None:
    """Their times are set while they grow, as an unpacking archive does: they settle as any other."""
    with Watching(tmp_path, SETTLE_SECONDS=f"{SETTLE}", SEQUENCE_SETTLE_SECONDS=f"{SETTLE}") as agent:
        for turn in range(6):
            for path in (agent.inbox / "old.jpg", agent.inbox / "old" / f"frame_{turn}.jpg"):
                os.utime(write(path, picture(turn)), (age, age))
                os.utime(path.parent, (age, age))
            last_at = time.monotonic()
            time.sleep(SETTLE / 3)
        agent.wait(lambda: agent.states() == [("old", "pending"), ("old.jpg", "pending")], 30)
        assert time.monotonic() >= last_at + SETTLE
        assert agent.events("old") == agent.events("old.jpg") == ["pending"], "it was taken before it was complete"
        assert agent.counts() == {"pending": (2, 7)}
        # Other bytes of the same size and time, and one more frame: both are seen, and settle anew.
        os.utime(write(agent.inbox / "old.jpg", picture(99)), (age, age))
        os.utime(write(agent.inbox / "old" / "frame_7.jpg", picture(99)), (age, age))
        for folder in (agent.inbox / "old", agent.inbox):
            os.utime(folder, (age, age))
        agent.wait(lambda: agent.counts() == {"pending": (2, 8)})
        agent.wait(lambda: agent.events("old.jpg") == agent.events("old") == ["pending", "settling", "pending"])
        assert agent.stop() == 0
