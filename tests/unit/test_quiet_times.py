from __future__ import annotations

from agent.core.folder_rules import NOTHING, FolderRules
from agent.core.quiet_times import Quiet, QuietTimes
from agent.model import Listing, Times

SOURCES = {"ready_marker": "x/.playment.toml", "expected_frames": "x/.playment.toml"}


def listing(frames: int = 1, *, marker: bool = False) -> Listing:
    files = tuple((f"{number}.jpg", 1, 1, 1, number) for number in range(frames))
    return Listing("s", Times(0, 0), files, (), (), (), marker, 0)


def test_a_quiet_folder_waits_its_time() -> None:
    assert QuietTimes(2.0, 30.0, "").of(listing()) == Quiet(30.0, "waits until it has been unchanged for 30 s", 60.0)
    assert QuietTimes(0.5, 30.0, "").image_reason == "waits until it has been unchanged for 0.5 s"


def test_a_marker_replaces_the_long_quiet_time_no_more() -> None:
    quiet = QuietTimes(2.0, 30.0, "_READY")
    assert quiet.of(listing()) == Quiet(30.0, "waits for the ready marker _READY", is_blocked=True)
    assert quiet.of(listing(marker=True)) == Quiet(2.0, "waits until it has been unchanged for 2 s", 60.0)


def test_a_number_of_frames_is_proof() -> None:
    quiet = QuietTimes(2.0, 30.0, "").under(FolderRules(expected_frames=3, sources=SOURCES))
    assert quiet.of(listing(2)) == Quiet(30.0, "waits for 3 frames, has 2", is_blocked=True)
    assert quiet.of(listing(3)) == Quiet(2.0, "waits until it has been unchanged for 2 s", 60.0, is_proof=True)


def test_folders_may_say_otherwise() -> None:
    quiet = QuietTimes(2.0, 30.0, "_READY")
    assert quiet.under(NOTHING) is quiet
    assert not quiet.under(FolderRules(ready_marker="", sources=SOURCES)).of(listing()).is_blocked
