from __future__ import annotations

import math

from agent.core.quiet_times import FRESH_TEMPORARY, QuietTimes, freshest
from agent.model import Entry, Listing, Stamp, Times

WALL = 2_000_000_000.0


def temporary(name: str, mtime: float, ctime: float | None = None) -> Entry:
    return Entry(name, Stamp(1, int(mtime * 1e9), int((mtime if ctime is None else ctime) * 1e9), 1))


def listing(*temporaries: Entry, marker: bool = False) -> Listing:
    return Listing("s", Times(0, 0), (), temporaries, (), marker, 0)


def test_a_quiet_folder_waits_its_time() -> None:
    assert QuietTimes(2.0, 30.0, "").waits_for(listing(), 5.0, WALL) == (
        30.0,
        -math.inf,
        "waits until it has been unchanged for 30 s",
    )
    assert QuietTimes(0.5, 30.0, "").image_reason == "waits until it has been unchanged for 0.5 s"


def test_a_marker_replaces_the_long_quiet_time_no_more() -> None:
    quiet = QuietTimes(2.0, 30.0, "_READY")
    assert quiet.waits_for(listing(), 5.0, WALL) == (30.0, math.inf, "waits for the ready marker _READY")
    assert quiet.waits_for(listing(marker=True), 5.0, WALL)[:2] == (2.0, -math.inf)
    copying = listing(temporary(".f.jpg.Ab12Cd", WALL - 10), marker=True)
    assert quiet.waits_for(copying, 5.0, WALL) == (
        2.0,
        5.0 + FRESH_TEMPORARY - 10,
        "waits for .f.jpg.Ab12Cd (a copy under way?)",
    )


def test_a_temporary_file_is_fresh_for_an_hour_by_the_later_of_its_times() -> None:
    assert freshest([], WALL) == ("", 0.0)
    assert freshest([temporary("old.part", WALL - FRESH_TEMPORARY)], WALL) == ("", 0.0)
    # rsync -t and tar give a file an old time: its ctime tells that it is new.
    assert freshest([temporary("a.part", 0.0, WALL - 1)], WALL) == ("a.part", FRESH_TEMPORARY - 1)
    both = [temporary("a.part", WALL - 100), temporary("b.part", WALL - 1)]
    assert freshest(both, WALL) == ("b.part", FRESH_TEMPORARY - 1)


def test_a_time_far_in_the_future_keeps_no_folder_for_ever() -> None:
    assert freshest([temporary("a.part", WALL + 10 * FRESH_TEMPORARY, WALL - 2 * FRESH_TEMPORARY)], WALL) == ("", 0.0)
