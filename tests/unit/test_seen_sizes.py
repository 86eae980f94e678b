"""What is said of frames that are not of one size."""

from __future__ import annotations

from agent.core.seen_sizes import sizes_warning


def test_one_size_is_nothing_to_warn_of() -> None:
    assert sizes_warning({}) is None
    assert sizes_warning({(4, 3): 2}) is None


def test_frames_of_several_sizes() -> None:
    assert sizes_warning({(3, 4): 1, (4, 3): 3}) == ("the frames are not all of one size in pixels: 3 of 4x3, 1 of 3x4")
    assert sizes_warning({(n, n): 1 for n in (9, 8, 7, 6, 5)}) == (
        "the frames are not all of one size in pixels: 1 of 5x5, 1 of 6x6, 1 of 7x7 and 2 more sizes"
    )
