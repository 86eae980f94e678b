"""Lines for a terminal: broken between words, and a table that would break one is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from agent.terminal.bar import amount, fitting, span
from agent.terminal.tables import below, widths
from agent.terminal.words import wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

WORD = st.text("abcñ名_/-.", min_size=1, max_size=40)
LONG = "camera_front_left/drive_2026-11-28_munich_ingolstadt_motorway_03/frame_00000017.jpg"


@given(st.lists(WORD, min_size=1, max_size=30), st.integers(50, 120))
def test_no_word_that_has_room_on_a_line_is_broken(words: list[str], width: int) -> None:
    lines = wrapped(" ".join(words), width, "    ")
    assert [word for line in lines for word in line.split()] == words
    assert all(cell_len(line) <= width for line in lines)
    assert all(line.startswith("    ") for line in lines[1:])


@given(st.text("ab名/_-. ", max_size=400), st.integers(20, 80))
def test_nothing_is_lost_and_no_line_is_too_long(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(cell_len(line) <= width for line in lines if line.strip() == line)


def test_a_word_longer_than_a_line_is_broken_where_its_parts_are_joined() -> None:
    assert wrapped(f"job 17 is {LONG}: held", 60, "  ") == [
        "job 17 is camera_front_left/drive_2026-11-28_munich_",
        "  ingolstadt_motorway_03/frame_00000017.jpg: held",
    ]


def test_two_spaces_in_a_name_stay() -> None:
    assert wrapped("a  b.jpg is sent", 40) == ["a  b.jpg is sent"]


@pytest.mark.parametrize(
    ("columns", "room", "found"),
    [
        ({"state": ["state", "held"], "reason": ["reason", "two words"]}, 80, [5, 9]),
        ({"state": ["state", "held"], "reason": ["reason", "two words"]}, 14, [5, 7]),
        ({"state": ["state", "held"], "reason": ["reason", "two words"]}, 12, None),
        ({"path": ["path", LONG], "reason": ["reason", "why"]}, 80, None),
        ({"path": ["path", "a b"], "why": ["why", "one two three four"]}, 24, [4, 18]),
    ],
)
def test_a_column_is_never_narrower_than_its_longest_word(
    columns: dict[str, Sequence[str]], room: int, found: list[int] | None
) -> None:
    assert widths(columns, room) == found


def test_what_stands_beside_the_bar_fits_and_jobs_give_way_first() -> None:
    far = (155, 168), (430, 483), (17_900_000, 19_100_000)
    assert fitting(120, "sending", *far) == ("sending", "155/168 jobs", "430/483 files", "17.9/19.1 MB")
    assert fitting(80, "sending", *far) == ("sending", "", "430/483 files", "17.9/19.1 MB")
    million = (1_000_000, 1_000_000), (1_000_000, 1_000_000), (10**12, 10**12)
    assert fitting(80, "sending", *million) == ("", "", "1,000,000/1,000,000 files", "1.0/1.0 TB")


def test_bytes_and_times_are_told_as_people_say_them() -> None:
    assert (amount(0, 0), amount(5, 900), amount(1500, 2_500_000)) == ("0/0 B", "5/900 B", "0.0/2.5 MB")
    assert (span(6.6), span(61), span(100_000)) == ("0:07", "1:01", "27:46:40")


def test_a_row_that_has_no_room_as_one_begins_with_its_folder_and_breaks_no_date_and_no_number() -> None:
    row = {"folder": "cam 1", "jobs": "1", "frames": "306", "waiting": "0", "newest": "2026-11-29 00:44:19Z"}
    told = [line.plain for line in below(list(row), row, 30)]
    assert told == ["cam 1  1 job  306 frames", "    0 waiting", "    2026-11-29 00:44:19Z"]
