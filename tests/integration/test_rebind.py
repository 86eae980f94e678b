"""`rebind`: the inbox, the project or its address has another name; every row stays, and nothing is sent again."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import (
    Agent,
    Playment,
    command,
    environ,
    eventually,
    frames,
    image,
    on_terminal,
    process,
    query,
    settings,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

MADE = "select id, path, state, reference_id, job_id, digest, error_code, reason from jobs order by id"


@pytest.fixture
def playment() -> Iterator[Playment]:
    with Playment() as sandbox:
        yield sandbox


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder on another file system, where there is one."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture
def known(tmp_path: Path, playment: Playment) -> dict[str, str]:
    """A ledger that knows of an archive, and of drops that came to different ends; the settings that it is bound to."""
    inbox = tmp_path / "inbox"
    write(inbox / "archive.jpg", image(1))
    write(inbox / "copy of archive.jpg", image(1))
    frames(inbox / "old drive", 3, seed=2)
    env = environ(tmp_path, playment.url)
    assert command("baseline", environ=env, cwd=tmp_path).stdout == "3 units are ignored\n"
    with Agent(settings(tmp_path, playment.url)) as agent:
        write(inbox / "a.jpg", image(3))
        write(inbox / "twin of a.jpg", image(3))
        frames(inbox / "drive" / "front", 4, seed=4)
        write(inbox / "changed.jpg", image(5))
        write(inbox / "cut.jpg", image(6)[:-40])
        write(inbox / "dismissed.jpg", image(7)[:-40])
        agent.becomes("cut.jpg", "invalid")
        agent.becomes("dismissed.jpg", "invalid")
        for path in ("a.jpg", "twin of a.jpg", "drive/front", "changed.jpg"):
            agent.becomes(path, "submitted")
        write(inbox / "changed.jpg", image(8))
        agent.becomes("changed.jpg", "submitted", "held")
        assert command("dismiss", "dismissed.jpg", environ=env, cwd=tmp_path).returncode == 0
        agent.rests()
    assert len(playment.jobs) == 4
    return env


def rebound(env: dict[str, str], place: Path, *names: str, code: int = 0) -> str:
    done = command("rebind", *names, environ=env, cwd=place)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def rows(place: Path) -> list[dict[str, Any]]:
    return query(place / "ledger.db", MADE)


def move(inbox: Path, new: Path) -> None:
    """Copy as people do: other inodes, another device, other times of change; the times of the files stay."""
    if shutil.which("rsync"):
        subprocess.run(["rsync", "-a", f"{inbox}/", f"{new}/"], check=True)
    else:
        shutil.copytree(inbox, new)
    shutil.rmtree(inbox)


def test_after_a_move_to_another_disk_nothing_is_sent_or_called_changed(
    tmp_path: Path, playment: Playment, known: dict[str, str], elsewhere: Path
) -> None:
    inbox, new = tmp_path / "inbox", elsewhere / "bigger disk"
    move(inbox, new)
    env = {**known, "WATCH_DIR": f"{new}/", "PUBLISH_TO": "http://127.0.0.1:10/"}
    refused = command("run", "--once", environ=env, cwd=tmp_path)
    assert refused.returncode == 2
    assert "'playment-agent rebind WATCH_DIR'" in refused.stderr
    before, events = rows(tmp_path), query(tmp_path / "ledger.db", "select * from events")
    assert rebound(env, tmp_path, "--yes") == (
        f"WATCH_DIR: '{inbox}' -> '{new}'\nthe ledger is bound to these settings now; all its 10 rows are kept\n"
    )
    assert rows(tmp_path) == before
    after = query(tmp_path / "ledger.db", "select * from events")
    assert [event["event"] for event in after[len(events) :]] == ["rebound"]
    assert after[-1]["detail"] == f"WATCH_DIR: '{inbox}' -> '{new}'"
    with Agent(settings(tmp_path, playment.url, **{**env, "WATCH_RESCAN_SECONDS": "0.5"})) as agent:
        frames(new / "later", 2, seed=9)
        agent.becomes("later", "submitted")
        eventually(lambda: _read_anew(tmp_path, new))
        agent.rests()
    stay = [{key: row[key] for key in ("id", "path", "state", "reference_id", "job_id")} for row in before]
    now = [{key: row[key] for key in ("id", "path", "state", "reference_id", "job_id")} for row in rows(tmp_path)]
    assert now[:-1] == stay
    assert playment.paths() == sorted(["a.jpg", "twin of a.jpg", "drive/front", "changed.jpg", "later"])
    assert len(playment.receipts) == 5


def _read_anew(place: Path, folder: Path) -> bool:
    """Tell whether all rows but that of a file which was changed have the inodes of the files as they are now."""
    now = {path.stat().st_ino for path in folder.rglob("*.jpg")}
    known = "select inode from frames join jobs on jobs.id = job where jobs.path <> 'changed.jpg' or state = 'held'"
    return {row["inode"] for row in query(place / "ledger.db", known)} <= now


def test_a_link_at_the_old_place_and_a_slash_change_nothing(
    tmp_path: Path, playment: Playment, known: dict[str, str], elsewhere: Path
) -> None:
    before = rows(tmp_path)
    move(tmp_path / "inbox", elsewhere / "there")
    (tmp_path / "inbox").symlink_to(elsewhere / "there")
    for watch_dir in (tmp_path / "inbox", f"{tmp_path}/inbox/", f"{tmp_path}/./inbox//", elsewhere / "there"):
        done = command("run", "--once", environ={**known, "WATCH_DIR": str(watch_dir)}, cwd=tmp_path)
        assert done.returncode == 1, done.stderr  # what needs attention still does
    assert [row["path"] for row in rows(tmp_path)] == [row["path"] for row in before]
    assert [row["state"] for row in rows(tmp_path)] == [row["state"] for row in before]
    assert len(playment.receipts) == 4
    assert "bound to these settings already" in rebound(known, tmp_path)


def test_a_link_that_leads_elsewhere_is_another_folder(tmp_path: Path, known: dict[str, str]) -> None:
    (tmp_path / "inbox").rename(tmp_path / "real")
    (tmp_path / "other").mkdir()
    (tmp_path / "inbox").symlink_to("other")
    env = {**known, "WATCH_DIR": str(tmp_path / "real")}
    assert command("run", "--once", environ=env, cwd=tmp_path).returncode == 2


def test_each_change_is_named_and_shown(tmp_path: Path, playment: Playment, known: dict[str, str]) -> None:
    moved = {**known, "PLAYMENT_PROJECT_ID": "p2", "PLAYMENT_BASE_URL": "http://localhost:9/"}
    told = rebound(moved, tmp_path, "PLAYMENT_PROJECT_ID", "--yes", code=2)
    assert told == (
        f"PLAYMENT_BASE_URL: '{playment.url}' -> 'http://localhost:9'\nPLAYMENT_PROJECT_ID: 'p1' -> 'p2'\n"
        "playment-agent: PLAYMENT_BASE_URL changed, too: name all that is meant, or set it back\n"
    )
    assert "invalid value" in rebound(moved, tmp_path, "REFERENCE_ID", "--yes", code=2).lower()
    template = {**known, "REFERENCE_ID": "{path}"}
    assert "REFERENCE_ID cannot be changed" in rebound(template, tmp_path, "--yes", code=2)
    assert rebound(known, tmp_path, "WATCH_DIR").startswith("the ledger is bound to these settings already")
    assert "nobody can be asked here: say --yes" in rebound(moved, tmp_path, code=2)
    assert query(tmp_path / "ledger.db", "select value from agent where key = 'project_id'") == [{"value": "p1"}]
    rebound(moved, tmp_path, "PLAYMENT_PROJECT_ID", "PLAYMENT_BASE_URL", "--yes")
    events = query(tmp_path / "ledger.db", "select detail from events where event = 'rebound'")
    assert events == [
        {"detail": f"PLAYMENT_BASE_URL: '{playment.url}' -> 'http://localhost:9'; PLAYMENT_PROJECT_ID: 'p1' -> 'p2'"}
    ]


def test_no_other_project_while_the_old_one_may_have_jobs_that_nobody_knows_of(
    tmp_path: Path, playment: Playment, known: dict[str, str]
) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as tampered, tampered:
        tampered.execute(
            "update jobs set state = 'pending', unanswered = 1, next_attempt_at = '2026' where path = 'a.jpg'"
        )
        tampered.execute("insert into batches values ('2026-11-28', 'of-p1', '2026')")
    other = {**known, "PLAYMENT_PROJECT_ID": "p2"}
    assert "1 jobs were tried in the old project" in rebound(other, tmp_path, "--yes", code=2)
    assert query(tmp_path / "ledger.db", "select value from agent where key = 'project_id'") == [{"value": "p1"}]
    assert command("run", "--once", environ=known, cwd=tmp_path).returncode == 1
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as tampered, tampered:
        tampered.execute(
            "update jobs set state = 'pending', batch_id = 'of-p1', reference_id = 'b' where path = 'a.jpg'"
        )
    rebound(other, tmp_path, "--yes")
    assert not query(tmp_path / "ledger.db", "select 1 from batches")
    (row,) = query(tmp_path / "ledger.db", "select edition, tag, batch_id from jobs where path = 'a.jpg'")
    assert set(row.values()) == {None}
    assert len(playment.jobs) == 4


def test_it_is_refused_while_an_agent_runs_and_needs_a_ledger(tmp_path: Path, playment: Playment) -> None:
    env = environ(tmp_path, playment.url)
    assert "there is no ledger" in rebound(env, tmp_path, "--yes", code=1)
    assert not (tmp_path / "ledger.db").exists()
    (tmp_path / "new").mkdir()
    with process("run", environ=env, cwd=tmp_path) as running:
        lock = tmp_path / "ledger.db.lock"
        eventually(lambda: lock.exists() and lock.read_text() == f"{running.pid}\n")
        told = rebound({**env, "WATCH_DIR": str(tmp_path / "new")}, tmp_path, "--yes", code=2)
        assert str(running.pid) in told


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1)])
def test_a_terminal_is_asked(tmp_path: Path, known: dict[str, str], answer: str, code: int) -> None:
    (tmp_path / "inbox").rename(tmp_path / "moved")
    now = {**known, "WATCH_DIR": str(tmp_path / "moved")}
    ended, told = on_terminal("rebind", "WATCH_DIR", answer=answer, environ=now, cwd=tmp_path)
    assert ended == code
    assert "All 10 rows are kept. Go on? [y/N]" in told
    bound = query(tmp_path / "ledger.db", "select value from agent where key = 'watch_dir'")[0]["value"]
    assert bound == str(tmp_path / ("moved" if code == 0 else "inbox"))


def test_another_target_is_another_project_and_a_ledger_of_before_is_playments(
    tmp_path: Path, playment: Playment, known: dict[str, str]
) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as tampered, tampered:
        tampered.execute("delete from agent where key = 'target'")
    other = {
        **known,
        "TARGET": "label-studio",
        "PUBLISH_PROBE": "sample",
        "LABEL_STUDIO_URL": "http://127.0.0.1:9",
        "LABEL_STUDIO_TOKEN": "t",
        "LABEL_STUDIO_IMAGE_PROJECT": "1",
        "LABEL_STUDIO_SEQUENCE_PROJECT": "2",
    }
    refused = command("run", "--once", environ=other, cwd=tmp_path)
    assert refused.returncode == 2
    assert "TARGET was 'playment' and is now 'label-studio'" in refused.stderr
    assert command("run", "--once", environ=known, cwd=tmp_path).returncode == 1, "as before: something is held"
    rows = query(tmp_path / "ledger.db", "select path, state, job_id from jobs order by id")
    assert rebound(other, tmp_path, "TARGET", "--yes").startswith("TARGET: 'playment' -> 'label-studio'")
    assert query(tmp_path / "ledger.db", "select path, state, job_id from jobs order by id") == rows
    keys = query(tmp_path / "ledger.db", "select key from agent where key in ('project_id', 'label_studio_url')")
    assert keys == [{"key": "label_studio_url"}]
    assert rebound({**known, "PLAYMENT_PROJECT_ID": "p9"}, tmp_path, "--yes").startswith("TARGET: 'label-studio'")
    assert len(playment.jobs) == 4
