"""`retry`, `resubmit` and `dismiss` on folders and on all there is: which rows, how many, what a terminal is asked."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from agent.commands import cli
from agent.ledger.store import Ledger
from agent.targets.playment import NAME as TARGET_NAME
from tests.support import command, environ, on_terminal, query

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS = (
    # path, kind, state, error_code, frames
    ("a.jpg", "image", "failed", "FS_0003", 1),
    ("b.jpg", "image", "submitted", "", 1),
    ("cam1", "sequence", "held", "changed", 10),
    ("cam1/sub", "sequence", "held", "gaps", 20),
    ("cam1/sub/deep", "sequence", "held", "order", 30),
    ("cam1/done", "sequence", "submitted", "", 5),
    ("cam1 too", "sequence", "held", "gaps", 40),
    ("cam10", "sequence", "invalid", "", 2),
    ("stills/x.jpg", "image", "pending", "", 1),
    ("stills/y.jpg", "image", "settling", "", 1),
    ("stills/z.jpg", "image", "gone", "", 1),
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    inbox = tmp_path / "inbox"
    (inbox / "cam1" / "sub").mkdir(parents=True)
    with contextlib.closing(Ledger(tmp_path / "ledger.db", lambda: datetime.now(UTC), TARGET_NAME)) as ledger:
        ledger.put(watch_dir=str(inbox))
        for number, (path, kind, state, code, frames) in enumerate(ROWS, start=1):
            ledger.sql.execute(
                "insert into jobs (id, path, kind, state, error_code, frame_count, reference_id, "
                "first_seen_at, updated_at) values (?, ?, ?, ?, ?, ?, ?, '2026', '2026')",
                (number, path, kind, state, code, frames, f"{path}~1"),
            )
    return tmp_path


@pytest.fixture
def order(place: Path) -> Callable[..., str]:
    """Give orders from the folder that holds the watch folder; they print so, and end with `code`."""
    runner = CliRunner()
    settings = {**environ(place, "http://127.0.0.1:9"), "PLAYMENT_API_KEY": "k"}

    def run(*arguments: str, code: int = 0, at: str = "") -> str:
        before = os.getcwd()
        os.chdir(place / at)
        try:
            done = runner.invoke(cli, list(arguments), env=settings)
        finally:
            os.chdir(before)
        assert done.exit_code == code, done.output
        return done.output

    return run


def states(place: Path) -> dict[str, str]:
    """Return the rows that are not as they were."""
    before = {row[0]: row[2] for row in ROWS}
    now = query(place / "ledger.db", "select path, state from jobs")
    return {row["path"]: row["state"] for row in now if row["state"] != before[row["path"]]}


def test_retry_takes_a_folder_with_all_below_it(place: Path, order: Callable[..., str]) -> None:
    assert order("retry", "cam1") == (
        "cam1: it changed after submission: 'resubmit' sends it as a new job, 'dismiss' leaves it\n"
        "cam1/sub: held -> pending\n"
        "cam1/sub/deep: held -> pending\n"
        "2 jobs (50 frames) will be sent; 1 left as is\n"
    )
    assert states(place) == {"cam1/sub": "pending", "cam1/sub/deep": "pending"}
    assert order("retry", "cam1/done") == "cam1/done: it is submitted: retry is for failed, held and invalid ones\n"
    assert order("retry", "stills") == "stills: nothing is failed, held or invalid\n"


@pytest.mark.parametrize(
    ("name", "at"),
    [
        (".", ""),  # the folder that holds it
        ("inbox", ""),
        ("inbox/", ""),
        ("{place}/inbox", ""),
        ("{place}/link", ""),
        ("..", "inbox/cam1"),
        (".", "inbox"),
        ("/", ""),
    ],
)
def test_the_watch_folder_itself_means_all_there_is(place: Path, order: Callable[..., str], name: str, at: str) -> None:
    (place / "link").symlink_to(place / "inbox")
    told = order("retry", name.format(place=place), at=at)
    assert told.endswith("4 jobs (91 frames) will be sent; 1 to be read again; 1 left as is\n")
    assert {path for path, state in states(place).items() if state == "pending"} == {
        "a.jpg",
        "cam1/sub",
        "cam1/sub/deep",
        "cam1 too",
    }
    assert states(place)["cam10"] == "settling"


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("cam1/sub", ""),
        ("cam1/sub/", ""),
        ("./cam1/sub", "inbox"),
        ("sub", "inbox/cam1"),
        (".", "inbox/cam1/sub"),
        ("inbox/cam1/sub", ""),
        ("{place}/inbox/cam1/sub", ""),
        ("../cam1/./sub", "inbox/cam1"),
    ],
)
def test_a_folder_is_found_however_it_is_named(place: Path, order: Callable[..., str], name: str, at: str) -> None:
    order("retry", name.format(place=place), at=at)
    assert states(place) == {"cam1/sub": "pending", "cam1/sub/deep": "pending"}


def test_rows_are_chosen_by_code_by_state_and_all_together(place: Path, order: Callable[..., str]) -> None:
    assert order("retry", "--code", "nothing") == "no such row\n"
    assert order("retry", "--code", "changed") == (
        "cam1: it changed after submission: 'resubmit' sends it as a new job, 'dismiss' leaves it\n"
        "0 jobs (0 frames) will be sent; 1 left as is\n"
    )
    assert states(place) == {}
    order("retry", "cam1", "--code", "gaps")
    assert states(place) == {"cam1/sub": "pending"}
    read = "cam10: invalid -> settling\n0 jobs (0 frames) will be sent; 1 to be read again\n"
    assert order("retry", "--state", "invalid") == read
    order("retry", "--code", "gaps", "--state", "held")
    assert states(place) == {"cam1/sub": "pending", "cam10": "settling", "cam1 too": "pending"}
    assert order("dismiss", "--all").endswith("3 of 3 are ignored\n")
    assert [row for row, state in states(place).items() if state == "ignored"] == ["a.jpg", "cam1", "cam1/sub/deep"]
    assert order("dismiss", "--state", "pending").endswith("3 of 3 are ignored\n")
    assert order("dismiss", "--all") == "no such row\n"


def test_resubmit_takes_folders_and_all(place: Path, order: Callable[..., str]) -> None:
    assert order("resubmit", "cam1/sub") == "cam1/sub: nothing changed after submission\n"
    assert order("resubmit", "--code", "gaps") == "no such row\n"
    assert order("resubmit", ".") == ("cam1: to be sent as a new job ()\n1 job (10 frames) will be sent\n")
    assert states(place) == {"cam1": "pending"}
    assert order("resubmit", "--all") == "no such row\n"
    assert order("resubmit", "cam1", "none", code=1).endswith("the ledger has no row for 'none'\n")


def test_dismiss_takes_a_folder_but_for_what_was_sent(place: Path, order: Callable[..., str]) -> None:
    assert order("dismiss", "cam1", "stills", "b.jpg") == (
        "cam1: ignored\ncam1/sub: ignored\ncam1/sub/deep: ignored\nstills/x.jpg: ignored\nstills/y.jpg: ignored\n"
        "b.jpg: it is submitted, Playment has or may have it\n5 of 6 are ignored\n"
    )
    assert set(states(place)) == {"cam1", "cam1/sub", "cam1/sub/deep", "stills/x.jpg", "stills/y.jpg"}
    assert order("dismiss", "cam1/done/none", code=1).endswith("has no row for 'cam1/done/none'\n")


def test_of_many_the_first_are_told_one_by_one(place: Path, order: Callable[..., str]) -> None:
    with contextlib.closing(Ledger(place / "ledger.db", lambda: datetime.now(UTC), TARGET_NAME)) as ledger:
        ledger.sql.execute(
            "with recursive n (i) as (select 100 union all select i + 1 from n where i < 1099) "
            "insert into jobs (id, path, kind, state, frame_count, first_seen_at, updated_at) "
            "select i, 'many/' || i || '.jpg', 'image', 'failed', 1, '2026', '2026' from n"
        )
    lines = order("retry", "many", "a.jpg").splitlines()
    assert lines[0] == "many/100.jpg: failed -> pending"
    assert lines[-3:] == [
        "a.jpg: failed -> pending",
        "… and 980 more",
        "1,001 jobs (1,001 frames) will be sent",
    ]
    assert len(lines) == 23


@pytest.mark.parametrize(
    "arguments",
    [
        ["retry"],
        ["retry", "--code", ""],
        ["retry", ""],
        ["retry", "--all", "a.jpg"],
        ["retry", "--state", "submitted"],
        ["resubmit", "--state", "failed"],
        ["resubmit"],
        ["dismiss"],
        ["dismiss", "--state", "gone"],
    ],
)
def test_what_names_nothing_is_refused(place: Path, order: Callable[..., str], arguments: list[str]) -> None:
    order(*arguments, code=2)
    assert states(place) == {}


@pytest.mark.parametrize("command", ["retry", "resubmit", "dismiss"])
@pytest.mark.parametrize("empty", [["--code", ""], ["--code", " "], ["--code="], [""], ["a.jpg", ""]])
def test_what_is_empty_is_refused_with_a_sentence(
    place: Path, order: Callable[..., str], command: str, empty: list[str]
) -> None:
    told = order(command, *empty, code=2)
    assert told.startswith(f"Usage: cli {command} [OPTIONS] [PATH or REFERENCE_ID]…\n")
    assert told.endswith("Error: an empty CODE or PATH names no row: leave it out, or say --all\n")
    assert states(place) == {}


def test_a_ledger_without_a_watch_folder_knows_names_as_given(place: Path, order: Callable[..., str]) -> None:
    with contextlib.closing(Ledger(place / "ledger.db", lambda: datetime.now(UTC), TARGET_NAME)) as ledger:
        ledger.put(watch_dir="")
    order("retry", "a.jpg")
    order("retry", "/", code=1)
    assert states(place) == {"a.jpg": "pending"}


@pytest.mark.parametrize(("answer", "sent"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_a_terminal_is_asked_before_it_costs_money(place: Path, answer: str, sent: bool) -> None:
    settings = environ(place, "http://127.0.0.1:9")
    ended, told = on_terminal("retry", "cam1", "a.jpg", answer=answer, environ=settings, cwd=place)
    assert "3 jobs (51 frames) will be sent and paid for. Go on? [y/N]" in told
    assert ended == (0 if sent else 1)
    assert states(place) == ({"a.jpg": "pending", "cam1/sub": "pending", "cam1/sub/deep": "pending"} if sent else {})


def test_a_terminal_is_not_asked_where_nothing_is_sent(place: Path) -> None:
    settings = {**os.environ, **environ(place, "http://127.0.0.1:9")}
    ours, theirs = pty.openpty()
    for arguments in (["retry", "cam10"], ["dismiss", "cam1"], ["resubmit", "stills"]):
        done = subprocess.run(
            [sys.executable, "-m", "agent", *arguments],
            env=settings,
            cwd=place,
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert (done.returncode, "Go on?" in done.stdout + done.stderr) == (0, False), done
    os.close(ours)
    os.close(theirs)


def test_a_script_is_never_asked(place: Path) -> None:
    done = command("retry", "--all", environ=environ(place, "http://127.0.0.1:9"), cwd=place)
    assert done.returncode == 0, done.stderr
    assert "Go on?" not in done.stdout + done.stderr
    assert len(states(place)) == 5
