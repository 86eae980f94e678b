"""A clock that jumps by a day, either way, and files from 1970 and 2099: nothing stalls, nothing settles early."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.faults.watching import Watching, picture
from tests.support import Playment, command, environ, query, write

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
DAY = 86_400
AGES = {"1970": 1.0, "2099": 4_087_000_000.0}
SETTLE = 1.5
TURNS = 12
"""So many changes, `SETTLE / 6` apart: it goes on for longer than it must be quiet, and a busy machine may be late."""


def faked(clock: Path) -> dict[str, str]:
    """Return what gives a process a clock that is so much off as the file says; the monotonic one is real.

    The program `faketime` would do no more, and does not start where one with its process number was ever killed.
    """
    return {
        "LD_PRELOAD": str(LIBRARIES[0]),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",  # the files keep the times that the kernel wrote, as after a jump of the real clock
    }


def set_clock(clock: Path, seconds: int) -> None:
    """Set the faked clock to so many seconds from the real one."""
    (clock.parent / "next").write_text(f"{seconds:+d}\n")
    (clock.parent / "next").rename(clock)


def settles_once(agent: Watching, name: str, seed: int) -> None:
    """A file and a folder that go on changing for longer than they must be quiet settle once, after the last change."""
    for turn in range(TURNS):
        last_at = time.monotonic()
        write(agent.inbox / f"{name}.jpg", picture(seed + turn))
        write(agent.inbox / name / f"frame_{turn}.jpg", picture(seed + turn))
        time.sleep(SETTLE / 6)
    rows = [(name, "pending"), (f"{name}.jpg", "pending")]
    agent.wait(lambda: set(rows) <= set(agent.states()), 30)
    assert time.monotonic() >= last_at + SETTLE
    assert agent.events(name) == agent.events(f"{name}.jpg") == ["pending"], "it was taken before it was complete"
    assert agent.counts() == {"pending": (len(agent.states()), (TURNS + 1) * len(agent.states()) // 2)}


@pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed (apt-get install faketime)")
def test_the_clock_jumps_by_a_day(tmp_path: Path) -> None:
    clock = write(tmp_path / "clock", b"+0\n")
    quiet = f"{SETTLE}"
    with Watching(tmp_path, **faked(clock), SETTLE_SECONDS=quiet, SEQUENCE_SETTLE_SECONDS=quiet) as agent:
        settles_once(agent, "before", 10)
        for number, seconds in enumerate((DAY, 0, -DAY, DAY)):
            set_clock(clock, seconds)
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
        for turn in range(TURNS):
            last_at = time.monotonic()
            for path in (agent.inbox / "old.jpg", agent.inbox / "old" / f"frame_{turn}.jpg"):
                os.utime(write(path, picture(turn)), (age, age))
                os.utime(path.parent, (age, age))
            time.sleep(SETTLE / 6)
        agent.wait(lambda: agent.states() == [("old", "pending"), ("old.jpg", "pending")], 30)
        assert time.monotonic() >= last_at + SETTLE
        assert agent.events("old") == agent.events("old.jpg") == ["pending"], "it was taken before it was complete"
        assert agent.counts() == {"pending": (2, TURNS + 1)}
        # Other bytes of the same size and time, and one more frame: both are seen, and settle anew.
        os.utime(write(agent.inbox / "old.jpg", picture(99)), (age, age))
        os.utime(write(agent.inbox / "old" / f"frame_{TURNS}.jpg", picture(99)), (age, age))
        for folder in (agent.inbox / "old", agent.inbox):
            os.utime(folder, (age, age))
        agent.wait(lambda: agent.counts() == {"pending": (2, TURNS + 2)})
        agent.wait(lambda: agent.events("old.jpg") == agent.events("old") == ["pending", "settling", "pending"])
        assert agent.stop() == 0


@pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed (apt-get install faketime)")
def test_what_was_to_be_sent_tomorrow_by_a_wrong_clock(tmp_path: Path) -> None:
    """The clock was a day ahead and is put right: what waits by the old time goes now."""
    clock = write(tmp_path / "clock", f"+{DAY}\n".encode())
    changed = {**faked(clock), "SETTLE_SECONDS": "0.2"}
    with Playment() as playment, Watching(tmp_path, **changed, PLAYMENT_BASE_URL=playment.url) as agent:
        write(agent.inbox / "a.jpg", picture(1))
        agent.wait(lambda: agent.states() == [("a.jpg", "pending")])
        set_clock(clock, 0)
        assert command("resume", environ=environ(tmp_path, playment.url), cwd=tmp_path).returncode == 0
        agent.wait(lambda: agent.states() == [("a.jpg", "submitted")], 20)
        assert agent.stop() == 0


@pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed (apt-get install faketime)")
def test_a_board_without_a_battery_decides_no_day_before_its_clock_is_set(tmp_path: Path) -> None:
    """A batch was called 1972-02-25 for good. What came meanwhile was noticed, and goes when the clock is set."""
    clock = write(tmp_path / "clock", f"-{20_000 * DAY}\n".encode())
    results = tmp_path / "results"
    results.mkdir()
    changed = {
        **faked(clock),
        "SETTLE_SECONDS": "0.2",
        "PLAYMENT_BATCH": "day",
        "SUBMIT_LIMIT_JOBS_PER_DAY": "2",
        "RESULTS_DIR": str(results),
        "RESULTS_POLL_SECONDS": "0.5",
    }
    with Playment() as playment, Watching(tmp_path, **changed, PLAYMENT_BASE_URL=playment.url) as agent:
        surroundings = environ(tmp_path, playment.url)
        assert command("resume", environ=surroundings, cwd=tmp_path).returncode == 0
        write(agent.inbox / "early.jpg", picture(1))
        agent.wait(lambda: agent.states() == [("early.jpg", "pending")])
        agent.wait(lambda: "the clock is not set (it says 19" in agent.told())
        status = command("status", environ={**surroundings, **faked(clock)}, cwd=tmp_path)
        assert status.returncode == 1
        assert "NO CLOCK: the clock is not set" in status.stdout
        said = len(agent.statuses)
        agent.wait(lambda: len(agent.statuses) > said + 5)
        assert playment.requests == {}, "it was asked of a server by a clock that is not set"
        set_clock(clock, 0)
        agent.wait(lambda: agent.states() == [("early.jpg", "submitted")], 20)
        agent.wait(lambda: "the clock is not set" not in agent.told())
        assert [row["name"] > "2024" for row in query(agent.ledger, "select name from batches")] == [True]
        (sent,) = query(agent.ledger, "select submitted_at from jobs")
        assert sent["submitted_at"] > "2024"
        assert [row["day"] > "2024" for row in query(agent.ledger, "select day from spend")] == [True]
        assert agent.times_said("the clock is not set") == 1
        assert agent.stop() == 0


@pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed (apt-get install faketime)")
def test_a_pass_by_hand_ends_where_the_clock_is_not_set(tmp_path: Path) -> None:
    clock = write(tmp_path / "clock", f"-{20_000 * DAY}\n".encode())
    with Playment() as playment:
        surroundings = {**environ(tmp_path, playment.url), **faked(clock)}
        write(tmp_path / "inbox" / "a.jpg", picture(1))
        once = command("run", "--once", environ=surroundings, cwd=tmp_path)
        assert once.returncode == 1, once.stderr
        assert "the clock is not set" in once.stderr
        (tmp_path / "results").mkdir()
        for arguments in (("reconcile", "--adopt"), ("results",)):
            named = {**surroundings, "RESULTS_DIR": str(tmp_path / "results")}
            refused = command(*arguments, environ=named, cwd=tmp_path)
            assert (refused.returncode, refused.stderr.count("the clock is not set")) == (1, 1)
        assert command("reconcile", environ=surroundings, cwd=tmp_path).returncode == 0
        assert playment.jobs == []
