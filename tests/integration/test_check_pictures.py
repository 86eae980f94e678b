"""What `check` says of the settings about pictures, and of the names of the files that are there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agent.reporting.checks import Level
from agent.reporting.checks.folder import survey
from agent.reporting.checks.pictures import check_pictures
from agent.settings.parts import filters_of
from tests.support import settings, write

if TYPE_CHECKING:
    from pathlib import Path


def told(place: Path, **changed: str) -> list[tuple[Level, str]]:
    chosen = settings(place, "http://127.0.0.1:9", **changed)
    found = survey(os.fspath(chosen.watch_dir), filters_of(chosen))
    return [(each.level, each.text) for each in check_pictures(chosen, found.names)]


def test_what_is_sent_and_what_is_held_is_told(tmp_path: Path) -> None:
    said = "JPEG, PNG, WebP and BMP are sent (IMAGE_FORMATS), of 178,956,970 pixels at most (IMAGE_MAX_PIXELS)"
    assert told(tmp_path) == [(Level.OK, f"{said}; TIFF (.tif, .tiff) is held")]
    assert told(tmp_path, IMAGE_EXTENSIONS="jpg,png") == [
        (Level.OK, f"{said}; IMAGE_EXTENSIONS has no file name of WebP and BMP")
    ]
    assert told(tmp_path, IMAGE_FORMATS="jpeg,png,tiff,avif", IMAGE_EXTENSIONS="jpg,png", IMAGE_MAX_PIXELS="99") == [
        (Level.OK, "JPEG, PNG, TIFF and AVIF are sent (IMAGE_FORMATS), of 99 pixels at most (IMAGE_MAX_PIXELS)")
    ]


def test_files_that_will_be_held_are_counted(tmp_path: Path) -> None:
    for name in ("a.tif", "s/b.TIFF", "s/c.jpg", ".hidden/d.tif"):
        write(tmp_path / "inbox" / name, b"x")
    assert told(tmp_path)[1:] == [
        (
            Level.WARN,
            (
                "2 files are named .tif, .tiff; TIFF is held: annotators' pages are browser pages, and browsers show "
                "no TIFF. Export them as PNG or JPEG; if your project converts what it gets, add tiff to IMAGE_FORMATS"
            ),
        )
    ]
    assert told(tmp_path, IMAGE_FORMATS="jpeg,tiff,png,webp,bmp")[1:] == []
    write(tmp_path / "inbox" / "d.png", b"x")
    assert told(tmp_path, IMAGE_FORMATS="jpeg,tiff")[1][1].startswith(
        "1 files are named .png; PNG is held: IMAGE_FORMATS allows JPEG and TIFF. Export them as JPEG; "
    )


def test_names_that_no_format_has_are_told(tmp_path: Path) -> None:
    said = told(tmp_path, IMAGE_EXTENSIONS="jpg,heic,dat,gif")
    assert "; GIF (.gif) is held" in said[0][1]
    assert [text.partition(".")[0] for level, text in said if level is Level.WARN] == [
        "IMAGE_EXTENSIONS has dat, the name of no format that is known here",
        (
            "IMAGE_EXTENSIONS has heic, the name of a HEIC picture, which is not taken: browsers do not show it; "
            "export it as JPEG (what an iPhone takes by Settings, Camera, Formats, Most Compatible)"
        ),
    ]
    assert said[1][1].endswith("is sent only where it is JPEG, PNG, WebP or BMP all the same")
