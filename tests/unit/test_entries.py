"""What an entry says of the frames beside it: by the names that real tools gave, and by how the file begins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.entries import Role, final_names, is_side_file, needs_head, role_of
from agent.model import Entry, Stamp

EXTENSIONS = frozenset({"jpg", "jpeg", "png"})
JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 12
TEXT = b'{"boxes": [], ...'[:16]
FRAMES = {"f1.jpg": (), "f2.jpg": ()}


def entry(name: str, size: int = 100) -> Entry:
    return Entry(name, Stamp(size, 1, 1, 1))


def role(name: str, head: bytes | None, *, size: int = 100, is_open: bool = False) -> Role:
    return role_of(entry(name, size), FRAMES, EXTENSIONS, head, is_open=is_open)


@pytest.mark.parametrize(
    "name",
    [
        "f3.jpg.cFd49F4D",  # awscli, boto3
        "f3.jpg1379197560",  # s5cmd
        "f3.jpg.b40cc0cd.partial",  # rclone
        "f3.jpg.60d94c47c3fe39868ae34b5724f2990f.part.minio",
        ".in.f3.jpg",  # lftp
        ".in.f3.jpg.",  # proftpd
        ".f3.jpg.Ab12Cd",  # rsync
        ".unison.f3.jpg.d41d8cd98f00b204e9800998ecf8427e.unison.tmp",
        "f3.jpg.0000000006",  # nginx
        "f3.jpg_.gstmp",
        "f3.jpg.download",
        "f3.JPG.part",
        "f3.jpg.tmp",
        "f3.jpg~",
    ],
)
@pytest.mark.parametrize("head", [None, JPEG, b"\0" * 16, b""])
def test_a_name_with_an_images_name_in_it_is_a_picture_on_its_way(name: str, head: bytes | None) -> None:
    assert role(name, head) is Role.ON_ITS_WAY
    assert role(name, head, size=0) is Role.ON_ITS_WAY
    # Once its frame is there, it is what a try has left.
    frames = {**FRAMES, "f3.jpg": (), "f3.JPG": ()}
    assert role_of(entry(name), frames, EXTENSIONS, head) is not Role.ON_ITS_WAY


@pytest.mark.parametrize(
    "name", [".pureftpd-upload.6b0a8140.6a6a.61a9.6520f6fa", ".davfs.tmp2f2851", "x", "upload.bin"]
)
def test_other_names_are_by_how_the_file_begins(name: str) -> None:
    assert role(name, JPEG) is Role.ON_ITS_WAY
    assert role(name, TEXT) is Role.DATA


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("f3.dng", b"II*\0\x08\0\0\0"),
        ("f3.nef", b"MM\0*\0\0\0\x08"),
        ("f3.gif", b"GIF89a"),
        ("f3.tif", b"II*\0\x08\0\0\0"),
    ],
)
def test_a_picture_that_is_not_taken_is_not_on_its_way(name: str, head: bytes) -> None:
    assert role(name, head) is Role.DATA
    assert role("x", b"GIF89a") is Role.DATA
    assert role_of(entry("x"), FRAMES, EXTENSIONS | {"gif"}, b"GIF89a") is Role.ON_ITS_WAY


@pytest.mark.parametrize("name", ["f1.jpg.json", "f1.jpg.xmp", "f1.jpg.md5", ".f1.jpg.swp", "f1.jpg.bak"])
def test_what_belongs_to_a_frame_is_none(name: str) -> None:
    assert role(name, TEXT) is Role.DATA
    assert role(name, JPEG) is Role.DATA
    assert role(name, JPEG, is_open=True) is Role.ON_ITS_WAY  # rsync puts another version of it there


@pytest.mark.parametrize("name", ["f3.jpg.json", "labels.json", "imu.csv", "f3.jpg.txt"])
def test_what_begins_like_no_picture_is_none(name: str) -> None:
    assert role(name, TEXT) is Role.DATA


def test_a_control_file_says_that_its_frame_is_not_whole() -> None:
    assert role("f1.jpg.aria2", TEXT) is Role.ON_ITS_WAY
    assert not needs_head(entry("f1.jpg.aria2"))


def test_an_empty_closed_file_of_another_name_is_nothing() -> None:
    for name in (".gitkeep", "_SUCCESS", "notes"):
        assert role(name, None, size=0) is Role.NOTHING
        assert role(name, None, size=0, is_open=True) is Role.DATA


def test_what_file_managers_leave_is_a_side_file() -> None:
    assert all(map(is_side_file, (".DS_Store", "Thumbs.db", "desktop.ini", "._f1.jpg")))
    assert not any(map(is_side_file, ("f1.jpg", ".f1.jpg", "thumbs", "_READY")))


def test_few_files_are_looked_into() -> None:
    assert needs_head(entry("f3.jpg.Ab12Cd34"))
    assert not needs_head(entry("f3.jpg.Ab12Cd34", 0))
    assert not any(needs_head(entry(f"f1.{extension}")) for extension in ("txt", "JSON", "csv", "mp4"))


@given(st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=12), st.sampled_from(sorted(EXTENSIONS)))
def test_whatever_stands_before_and_behind_an_images_name_it_is_found(around: str, extension: str) -> None:
    final = f"frame 7.{extension}"
    assert final in final_names(f"{final}{around}", EXTENSIONS)
    assert final in final_names(f".{around}.{final}", EXTENSIONS)
    assert all(name != f"{final}{around}" for name in final_names(f"{final}{around}", EXTENSIONS))
