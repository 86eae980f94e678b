"""What the ledger knows of how large frames are and how they are turned, however they come to be written there."""

from __future__ import annotations

import contextlib
import io
import os
import sqlite3
import struct
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from agent.host.clock import utc_now
from agent.ledger.migrations import MIGRATIONS
from agent.ledger.store import Ledger
from agent.service.loop import Service
from tests import older_ledgers
from tests.integration.test_upgrade import SENT, lay_out, restore
from tests.support import Playment, command, environ, query, rows, settings, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.settings.settings import Settings

Shape = tuple[int | None, int | None, int | None]
UNKNOWN: Shape = (None, None, None)


def picture(seed: int, size: tuple[int, int] = (16, 12), orientation: int | None = None, form: str = "JPEG") -> bytes:
    """Return a picture whose EXIF says how it is turned."""
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    file = io.BytesIO()
    Image.new("RGB", size, (seed % 256, seed // 256, 90)).save(file, form, exif=exif)
    return file.getvalue()


def shapes(ledger: Path, path: str) -> list[Shape]:
    """Return the width, height and orientation of each frame of a path's newest job, in order."""
    found = query(
        ledger,
        "select width, height, orientation from frames where job = (select max(id) from jobs where path = ?) "
        "order by position",
        path,
    )
    return [(row["width"], row["height"], row["orientation"]) for row in found]


@pytest.fixture
def playment() -> Iterator[Playment]:
    with Playment() as sandbox:
        yield sandbox


@pytest.fixture
def chosen(tmp_path: Path, playment: Playment) -> Settings:
    return settings(tmp_path, playment.url, SETTLE_SECONDS="0.1", SEQUENCE_SETTLE_SECONDS="0.1", IMAGE_FOLDERS="stills")


def scan(chosen: Settings) -> None:
    Service(chosen, once=True).run()


def put(folder: Path, *orientations: int, size: tuple[int, int] = (160, 120)) -> None:
    for number, orientation in enumerate(orientations):
        write(folder / f"f{number}.jpg", picture(number, size, orientation))


def warned(chosen: Settings, path: str) -> str:
    """Return what was said of a unit when it was queued."""
    (row,) = rows(chosen.ledger_path, path)
    (event,) = query(chosen.ledger_path, "select detail from events where job = ? and event = 'pending'", row["id"])
    return str(event["detail"])


def test_single_images_and_frames_are_kept_as_stored(chosen: Settings, playment: Playment) -> None:
    inbox = chosen.watch_dir
    write(inbox / "a.jpg", picture(1, (20, 10), 6))
    write(inbox / "b.png", picture(2, (20, 10), 8, "PNG"))
    write(inbox / "c.webp", picture(3, (20, 10), 6, "WebP"))
    write(inbox / "d.bmp", picture(4, (20, 10), form="BMP"))
    put(inbox / "stills", *range(1, 9))  # many are queued together
    put(inbox / "drive", *range(8, 0, -1))
    scan(chosen)
    assert len(playment.jobs) == 4 + 8 + 1
    ledger = chosen.ledger_path
    assert shapes(ledger, "a.jpg") == [(20, 10, 6)]
    assert shapes(ledger, "b.png") == [(20, 10, 8)]
    assert shapes(ledger, "c.webp") == [(20, 10, 1)]
    assert shapes(ledger, "d.bmp") == [(20, 10, 1)]
    assert [shapes(ledger, f"stills/f{number}.jpg") for number in range(8)] == [
        [(160, 120, orientation)] for orientation in range(1, 9)
    ]
    assert shapes(ledger, "drive") == [(160, 120, orientation) for orientation in range(8, 0, -1)]


def test_what_is_no_whole_image_has_no_size(chosen: Settings, playment: Playment) -> None:
    inbox = chosen.watch_dir
    write(inbox / "cut.jpg", picture(1, (20, 10), 6)[:-30])
    # A BigTIFF whose width no column of SQLite can hold.
    tags = ((256, 16, 2**64 - 1), (257, 16, 1), (258, 3, 8), (273, 16, 8), (278, 16, 1), (279, 16, 8))
    directory = struct.pack("<Q", len(tags)) + b"".join(
        struct.pack("<HHQQ", tag, kind, 1, at) for tag, kind, at in tags
    )
    write(inbox / "wide.tif", b"II+\0\x08\0\0\0" + struct.pack("<Q", 24) + bytes(range(8)) + directory + bytes(8))
    put(inbox / "drive", 6, 6)
    write(inbox / "drive/f1.jpg", picture(9, (20, 10), 6)[:-30])
    scan(chosen)
    assert playment.jobs == []
    assert [rows(chosen.ledger_path, path)[0]["state"] for path in ("cut.jpg", "wide.tif", "drive")] == ["invalid"] * 3
    assert shapes(chosen.ledger_path, "cut.jpg") == shapes(chosen.ledger_path, "wide.tif") == [UNKNOWN]
    assert shapes(chosen.ledger_path, "drive") == [(160, 120, 6), UNKNOWN]


def test_what_is_said_of_a_sequence_is_how_it_is_seen(chosen: Settings, playment: Playment) -> None:
    inbox = chosen.watch_dir
    put(inbox / "differ", 1, 1, 6, 6, 8, 3)
    put(inbox / "alike", 6)
    write(inbox / "alike/f1.jpg", picture(1, (120, 160)))
    put(inbox / "webp", 6)
    write(inbox / "webp/f1.webp", picture(1, (160, 120), 6, "WebP"))
    put(inbox / "all turned", 6, 6, 6)
    scan(chosen)
    assert len(playment.jobs) == 4
    assert warned(chosen, "differ") == (
        "the frames are not all of one size in pixels: 3 of 120x160, 3 of 160x120; "
        "the frames are not all turned alike to be seen (EXIF orientation): "
        "2 not turned (1), 2 a quarter to the right (6), 1 upside down (3), 1 a quarter to the left (8)"
    )
    assert warned(chosen, "webp") == (
        "the frames are not all of one size in pixels: 1 of 120x160, 1 of 160x120; "
        "the frames are not all turned alike to be seen (EXIF orientation): "
        "1 not turned (1), 1 a quarter to the right (6)"
    )
    assert (warned(chosen, "alike"), warned(chosen, "all turned")) == ("", "")


def test_other_bytes_have_other_sizes_and_a_move_keeps_them(chosen: Settings, playment: Playment) -> None:
    inbox, ledger = chosen.watch_dir, chosen.ledger_path
    write(inbox / "a.jpg", picture(1, (20, 10), 6)[:-30])
    scan(chosen)
    write(inbox / "a.jpg", picture(1, (20, 10), 6))
    put(inbox / "drive", 1, 3)
    scan(chosen)
    assert (shapes(ledger, "a.jpg"), shapes(ledger, "drive")) == ([(20, 10, 6)], [(160, 120, 1), (160, 120, 3)])
    (inbox / "a.jpg").rename(inbox / "b.jpg")
    (inbox / "drive").rename(inbox / "ride")
    scan(chosen)
    assert (shapes(ledger, "b.jpg"), shapes(ledger, "ride")) == ([(20, 10, 6)], [(160, 120, 1), (160, 120, 3)])
    write(inbox / "b.jpg", picture(2, (30, 10), 3))  # a changed drop, which is held
    scan(chosen)
    held = rows(ledger, "b.jpg")
    assert [row["state"] for row in held] == ["submitted", "held"]
    assert shapes(ledger, "b.jpg") == [(30, 10, 3)]
    assert query(ledger, "select width from frames where job = ?", held[0]["id"]) == [{"width": 20}]
    assert len(playment.jobs) == 2


def test_a_copy_of_the_ledger_has_them(tmp_path: Path, chosen: Settings, playment: Playment) -> None:
    put(chosen.watch_dir / "drive", 1, 6)
    scan(chosen)
    done = command("backup", str(tmp_path / "copy.db"), environ=environ(tmp_path, playment.url), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert shapes(tmp_path / "copy.db", "drive") == [(160, 120, 1), (160, 120, 6)]


# Ledgers of before


def _jobs_columns(path: Path) -> str:
    return ", ".join(row["name"] for row in query(path, "select name from pragma_table_xinfo('jobs')"))


def _all(path: Path, jobs: str) -> tuple[Any, ...]:
    with contextlib.closing(sqlite3.connect(path)) as sql:
        columns = "job, position, frame_id, path, size, mtime_ns, digest, src, ctime_ns, inode"
        return (
            sql.execute(f"select {columns} from frames order by job, position").fetchall(),
            sql.execute(f"select {jobs} from jobs order by id").fetchall(),
        )


BEFORE = next(number for number, step in enumerate(MIGRATIONS) if step.__name__ == "m012_sizes")


def test_the_columns_come_without_a_row_being_written(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    older_ledgers.make(path, 2000)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as sql:
        for step in MIGRATIONS[older_ledgers.VERSION : BEFORE]:
            step(sql)
        sql.execute(f"pragma user_version = {BEFORE}")
    jobs = _jobs_columns(path)  # later steps add some
    before = _all(path, jobs)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as sql:
        sql.execute("pragma wal_checkpoint(truncate)")
        changes = sql.total_changes
        MIGRATIONS[BEFORE](sql)
        assert sql.total_changes == changes
        assert os.path.getsize(f"{path}-wal") < 100_000
        sql.execute(f"pragma user_version = {BEFORE + 1}")
    Ledger(path, utc_now).close()
    assert _all(path, jobs) == before
    known = query(path, "select count(*) as n from frames where coalesce(width, height, orientation) is not null")
    assert known == [{"n": 0}]


@pytest.mark.parametrize("version", range(older_ledgers.VERSION, len(MIGRATIONS) + 1))
def test_a_ledger_of_any_version_causes_no_second_job_and_knows_the_sizes_of_what_is_read_again(
    tmp_path: Path, playment: Playment, version: int
) -> None:
    lay_out(tmp_path)
    restore(tmp_path, playment.url)
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as sql:
        for step in MIGRATIONS[older_ledgers.VERSION : version]:
            step(sql)
        sql.execute(f"pragma user_version = {version}")
    quick = {"SETTLE_SECONDS": "0.1", "SEQUENCE_SETTLE_SECONDS": "0.1"}
    chosen = settings(tmp_path, playment.url, **quick, IMAGE_FOLDERS="stills", SEQUENCE_GAPS="hold")
    Ledger(chosen.ledger_path, utc_now).close()
    assert {shape for path in SENT for shape in shapes(chosen.ledger_path, path)} == {UNKNOWN}
    scan(chosen)  # inodes and times are others than it has seen: all is read again
    assert playment.jobs == []
    for path in SENT - {"changed", "gone.bmp"}:
        assert set(shapes(chosen.ledger_path, path)) == {(4, 4, 1)}, path
