"""A ledger that 0.1.0 has left (written by its own code) opens, is brought up to date, and causes no second job."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.ledger.migrations import MIGRATIONS
from agent.ledger.store import Ledger
from agent.service.loop import Service
from tests.sending import Clock
from tests.support import Playment, query, rows, settings, write

if TYPE_CHECKING:
    from agent.settings.settings import Settings

DUMP = Path(__file__).with_name("ledger_0_1_0.sql")
HELD = {"gaps", "changed"}
SENT = {"a.bmp", "b.bmp", "gone.bmp", "changed", "drive", "moved here", "stills/c.bmp", "top/cam1"}


def bmp(number: int) -> bytes:
    """Return a whole image whose bytes depend on nothing but a number, and on no library's version."""
    pixels = bytes((number * 7 + place) % 256 for place in range(4 * 3 * 4))
    size = struct.pack("<IHHI", 54 + len(pixels), 0, 0, 54)
    return b"BM" + size + struct.pack("<IiiHHIIiiII", 40, 4, 4, 1, 24, 0, len(pixels), 2835, 2835, 0, 0) + pixels


def put(inbox: Path, path: str, *numbers: int) -> None:
    for number in numbers:
        write(inbox / (path if path.endswith(".bmp") else f"{path}/f{number}.bmp"), bmp(number))


def lay_out(place: Path) -> None:
    """Lay out what was there when 0.1.0 stopped; inodes and times are others than it has seen."""
    inbox = place / "inbox"
    put(inbox, "archive", 1, 2)
    put(inbox, "old.bmp", 3)
    put(inbox, "a.bmp", 10)
    put(inbox, "b.bmp", 11)
    put(inbox, "stills/c.bmp", 12)
    put(inbox, "drive", 20, 21, 22, 23)
    put(inbox, "top/cam1", 30, 31, 32)
    put(inbox, "changed", 40, 41, 42)
    put(inbox, "moved here", 50, 51)
    put(inbox, "gaps", *(number for number in range(60, 73) if number != 71))
    write(inbox / "empty.bmp", b"")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    lay_out(tmp_path)
    return tmp_path


def restore(place: Path, url: str) -> None:
    """Restore the ledger of 0.1.0, as if it had been of this folder and this server."""
    text = DUMP.read_text(encoding="utf-8").replace("WATCH_DIR", str(place / "inbox")).replace("BASE_URL", url)
    with contextlib.closing(sqlite3.connect(place / "ledger.db")) as sql:
        sql.executescript(text)
        sql.execute("delete from agent where key = 'watch_dir_identity'")
        sql.commit()


def scan(chosen: Settings) -> None:
    Service(chosen, once=True).run()


def test_it_gets_the_schema_of_a_new_one(place: Path) -> None:
    restore(place, "http://127.0.0.1:9")
    with contextlib.closing(Ledger(place / "ledger.db", Clock().now)) as old:
        with contextlib.closing(Ledger(place / "new.db", Clock().now)) as new:
            for what in (
                "select type, name, sql from sqlite_master where name not in ('jobs', 'seen') order by name",
                "select * from pragma_table_info('jobs')",
                "select * from pragma_table_info('seen')",
                "pragma user_version",
            ):
                assert old.sql.execute(what).fetchall() == new.sql.execute(what).fetchall()
        assert old.sql.execute("pragma user_version").fetchone() == (len(MIGRATIONS),)
        assert old.sql.execute("pragma integrity_check").fetchall() == [("ok",)]
        firsts = old.sql.execute(
            "select count(*) from seen join frames on frames.job = seen.job and position = 0 "
            "where first_digest = substr(digest, 1, 8)"
        )
        # What is held is read again: frames are ordered by other rules than those that held it.
        kept = "select count(*) from jobs where kind = 'sequence' and (state <> 'held' or unanswered > 0)"
        assert firsts.fetchone() == old.sql.execute(kept).fetchone()
        assert old.sql.execute("select count(*) from jobs where deleted_at is not null").fetchone() == (0,)


def test_it_causes_no_second_job_and_knows_what_is_tidied_from_then_on(place: Path) -> None:
    with Playment() as playment:
        restore(place, playment.url)
        chosen = settings(
            place,
            playment.url,
            SETTLE_SECONDS="0.1",
            SEQUENCE_SETTLE_SECONDS="0.1",
            IMAGE_FOLDERS="stills",
            SEQUENCE_GAPS="hold",
        )
        inbox, ledger = chosen.watch_dir, chosen.ledger_path
        before = {row["path"]: row["job_id"] for row in query(ledger, "select * from jobs where job_id is not null")}
        assert set(before) == SENT
        scan(chosen)
        assert playment.jobs == []
        assert {row["path"] for row in query(ledger, "select path from jobs where state = 'held'")} == HELD
        now = query(ledger, "select path, job_id from jobs where job_id is not null")
        assert {row["path"]: row["job_id"] for row in now} == before
        assert [row["path"] for row in query(ledger, "select path from jobs where deleted_at is not null")] == [
            "gone.bmp"
        ]

        # Tidied, now that it is known where all is.
        for number, part in ((20, "train"), (21, "train"), (22, "val"), (23, "val")):
            (inbox / f"drive {part}").mkdir(exist_ok=True)
            (inbox / f"drive/f{number}.bmp").rename(inbox / f"drive {part}/f{number}.bmp")
        (inbox / "archive").rename(inbox / "archive too")
        (inbox / "b.bmp").rename(inbox / "b too.bmp")
        shutil.copytree(inbox / "moved here", inbox / "copy")
        shutil.rmtree(inbox / "top")
        (inbox / "a.bmp").unlink()
        scan(chosen)
        assert playment.paths() == ["copy"]
        for part in ("train", "val"):
            (row,) = rows(ledger, f"drive {part}")
            assert (row["state"], row["error_code"]) == ("held", "sent-before")
            assert row["reason"].startswith(
                f"2 of 2 frames were sent before in drive (completed, job {before['drive']}"
            )
        assert [row["state"] for row in rows(ledger, "archive too")] == ["ignored"]
        assert rows(ledger, "b too.bmp")[0]["job_id"] == before["b.bmp"]

        # Names used again.
        put(inbox, "top/cam1", 80, 81)
        put(inbox, "a.bmp", 82)
        put(inbox, "gone.bmp", 83)
        scan(chosen)
        assert playment.paths() == ["a.bmp", "copy", "gone.bmp", "top/cam1"]
