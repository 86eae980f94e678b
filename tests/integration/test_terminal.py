"""What a person sees on a terminal of 80 columns: a bar that keeps to its line, whole words, and sums."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import pytest

from agent.host.clock import utc_now
from agent.ledger.reads import Reads
from agent.ledger.store import Ledger, iso
from tests.support import Playment, command, environ, image, on_terminal, used_ledger, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOURS = re.compile(r"\x1b\[[0-9;]*(?:3[0-9]|4[0-9]|9[0-7])[0-9;]*m")
EIGHTY = {"COLUMNS": "80", "LINES": "50", "TERM": "xterm-256color"}
LONG = "camera_front_left/drive_2026-11-28_munich_ingolstadt_motorway_in_the_night"


class Once(NamedTuple):
    """A run on a terminal where a limit lets ten of twelve images go."""

    code: int
    shown: str
    place: Path
    settings: dict[str, str]


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Once]:
    place = tmp_path_factory.mktemp("once")
    with Playment() as server:
        settings = environ(place, server.url, SUBMIT_LIMIT_JOBS_PER_DAY="10", **EIGHTY)
        used_ledger(place)
        for number in range(12):
            write(place / "inbox" / f"camera_front_left_with_a_long_name_{number}.jpg", image(number))
        write(place / "inbox" / LONG / f"{'recording_' * 4}1.jpg", b"Dear team, this is no image")
        code, shown = on_terminal("run", "--once", answer="", environ=settings, cwd=place)
        yield Once(code, shown, place, settings)


def test_the_bar_keeps_to_its_line_and_ends_with_one_sum(once: Once) -> None:
    assert once.code == 1
    plain = [ESCAPES.sub("", line) for line in re.split(r"[\r\n]+", once.shown)]
    assert any("━" in line and "10/12 files" in line for line in plain)
    assert [line for line in plain if "━" in line][-1].rstrip().endswith(" kB"), (
        "no time is left, and no rate, when it is over"
    )
    assert not [line for line in plain if "━" in line and re.search(r"INFO|WARNING|\d\d:\d\d:\d\dZ", line)]
    assert not [line for line in plain if "submitted camera_front_left" in line], "no lines of single jobs"
    whole = " ".join(" ".join(plain).split())
    assert "WARNING the day's limit is reached: SUBMIT_LIMIT_JOBS_PER_DAY is 10; what goes beyond waits" in whole
    assert [line for line in plain if line][-1] == (
        "10 sent (10 frames), 2 still wait, 1 needs attention: playment-agent status"
    )


def test_the_status_tells_today_and_why_jobs_wait_in_whole_words(once: Once) -> None:
    code, shown = on_terminal("status", "--by-folder", answer="", environ=once.settings, cwd=once.place)
    assert code == 1
    lines = ESCAPES.sub("", shown).splitlines()
    assert all(len(line) <= 80 for line in lines), shown
    whole = " ".join(shown.split())
    for words in (LONG, "SUBMIT_LIMIT_JOBS_PER_DAY", "what goes beyond waits until", "noticing by events"):
        assert words in whole
    assert re.search(r"^today \(\d{4}-\d\d-\d\d\): 10 sent \(10 frames\)", ESCAPES.sub("", shown), re.MULTILINE)
    assert "2 pending, by the spend limit: the day's limit is reached" in whole
    assert [line.split() for line in lines if line.startswith(("folder", ". ", "camera"))][:3] == [
        ["folder", "jobs", "frames", "waiting", "submitted", "completed", "attention"],
        [".", "12", "12", "2", "10", "0", "0"],
        ["camera_front_left", "1", "1", "0", "0", "0", "1"],
    ]


def test_a_pipe_has_what_it_had(once: Once) -> None:
    told = command("status", environ=once.settings, cwd=once.place)
    assert told.stdout.startswith("state\tjobs\tframes\toldest\tnewest\npending\t2\t2\t")
    assert f"{LONG}\tinvalid\t\t" in told.stdout
    assert "\x1b" not in told.stdout + told.stderr
    again = command("run", "--once", environ=once.settings, cwd=once.place)
    assert "sent (" not in again.stdout + again.stderr
    assert "━" not in again.stderr


def test_colours_are_off_where_nobody_wants_them(once: Once) -> None:
    assert COLOURS.search(once.shown)
    for arguments in (["run", "--once"], ["status"], ["check"]):
        coloured = on_terminal(*arguments, answer="", environ=once.settings, cwd=once.place)[1]
        plain = on_terminal(*arguments, answer="", environ={**once.settings, "NO_COLOR": "1"}, cwd=once.place)[1]
        assert COLOURS.search(coloured), arguments
        assert not COLOURS.search(plain), arguments


def test_no_command_breaks_a_word_of_a_long_name(once: Once) -> None:
    for arguments in (["explain", LONG], ["retry", LONG[:-6]], ["plan"]):
        shown = ESCAPES.sub("", on_terminal(*arguments, answer="", environ=once.settings, cwd=once.place)[1])
        assert all(len(line) <= 80 for line in shown.splitlines()), shown
        assert all(name in shown for name in arguments[1:]), shown


ROWS = """
insert into jobs (path, kind, state, frame_count, bytes, error_code, reason, next_attempt_at, lookup, first_seen_at,
    updated_at) values
    ('a.jpg', 'image', 'pending', 1, 10, '', '', '2026-01-01T00:00:00.000Z', null, '', ''),
    ('b.jpg', 'image', 'pending', 1, 10, '', '', '2026-01-01T00:00:00.000Z', null, '', ''),
    ('cam/c.jpg', 'image', 'pending', 1, 10, 'FS_0000', 'later', '2126-01-02T00:00:00.000Z', null, '', ''),
    ('cam/d.jpg', 'image', 'pending', 1, 10, 'probe', 'sooner', '2126-01-01T00:00:00.000Z', null, '', ''),
    ('cam/e.jpg', 'image', 'pending', 1, 10, 'FS_0000', 'last', '2126-01-03T00:00:00.000Z', null, '', ''),
    ('cam/deep/er', 'sequence', 'pending', 7, 70, 'spend', 'the limit', '2126-01-01T00:00:00.000Z', null, '', ''),
    ('cam', 'sequence', 'pending', 5, 50, '', 'in use', '2026-01-01T00:00:00.000Z', 'duplicate', '', ''),
    ('yard', 'sequence', 'held', 3, 30, 'gaps', '', null, null, '', ''),
    ('old.jpg', 'image', 'ignored', 1, 10, '', '', null, null, '', '')
"""


def test_pending_jobs_are_told_apart_by_what_they_wait_for(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db", utc_now)
    with ledger.transaction():
        ledger.sql.execute(ROWS)
    ledger.close()
    with Reads.open(tmp_path / "ledger.db") as reads:
        report = reads.report(utc_now(), by_folder=True)
    assert [wait["jobs"] for wait in report.waits] == [3, 2, 1, 1]
    assert {(wait["why"], wait["jobs"], wait["reason"]) for wait in report.waits} == {
        ("later", 3, "sooner"),
        ("turn", 2, ""),
        ("spend", 1, "the limit"),
        ("lookup", 1, "in use"),
    }
    assert report.waits[0]["next_attempt_at"] == "2126-01-01T00:00:00.000Z"
    assert [
        (row["folder"], row["jobs"], row["frames"], row["waiting"], row["attention"]) for row in report.folders
    ] == [
        ("", 2, 2, 2, 0),
        ("cam", 5, 15, 5, 0),
        ("yard", 1, 3, 0, 1),
    ]
    assert report.today == {"day": iso(utc_now())[:10], "jobs": 0, "frames": 0}
