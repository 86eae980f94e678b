"""Listings and descriptors of real folders: nothing outside is ever read, and 'not there' is never guessed."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

import pytest

from agent.core.names import Filters
from agent.errors import FileChanged, FolderUnavailable
from agent.folder.scanner import Scanner
from agent.model import Stamp
from tests.support import await_tick, write


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def scanner(inbox: Path) -> Scanner:
    return Scanner(inbox, Filters.of(["jpg"], [], "_READY"))


def stamp(path: Path) -> Stamp:
    status = path.lstat()
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def read(scanner: Scanner, path: str) -> bytes:
    with scanner.open_file(path) as fd:
        return os.read(fd, 100)


def test_a_listing_sorts_what_is_there(inbox: Path, scanner: Scanner) -> None:
    for name in ("a.jpg", "B.JPG", ".c.jpg", "d.jpg.part", ".e.jpg.Ab12Cd", "notes.txt", "_READY"):
        write(inbox / "s" / name, b"content")
    for name in ("sub", ".hidden", "copy.tmp"):
        (inbox / "s" / name).mkdir()
    (inbox / "s" / "to folder").symlink_to(inbox)
    (inbox / "s" / "link.jpg").symlink_to("/etc/hostname")
    listing = scanner.list("s")
    assert listing is not None
    assert {name for name, *_ in listing.files} == {"a.jpg", "B.JPG", "link.jpg"}
    assert {entry.name for entry in listing.others} == {
        ".c.jpg",
        "d.jpg.part",
        ".e.jpg.Ab12Cd",
        "notes.txt",
        "to folder",
    }
    assert listing.subfolders == ("s/sub",)
    assert set(listing.hidden) == {"s/.hidden"}
    assert listing.marker
    assert all(Stamp(*seen) == stamp(inbox / "s" / name) for name, *seen in listing.files)
    status = (inbox / "s").stat()
    assert listing.times == (status.st_mtime_ns, status.st_ctime_ns)


def test_what_is_not_there_is_none_and_what_cannot_be_told_raises(inbox: Path, scanner: Scanner) -> None:
    write(inbox / "file", b"")
    assert scanner.list("missing") is None
    assert scanner.list("missing/deeper") is None
    assert scanner.list("file") is None
    assert scanner.stamp("missing.jpg") is None
    assert scanner.stamp("missing/a.jpg") is None
    inbox.rename(inbox.with_name("away"))
    with pytest.raises(FolderUnavailable, match="cannot be opened: No such file"):
        scanner.list("")
    with pytest.raises(FolderUnavailable):
        scanner.stamp("a.jpg")
    assert scanner.identity() is None


def test_no_link_is_followed_anywhere_on_the_way(inbox: Path, scanner: Scanner, tmp_path: Path) -> None:
    write(tmp_path / "outside" / "secret.jpg", b"secret")
    (inbox / "folder").symlink_to(tmp_path / "outside")
    (inbox / "link.jpg").symlink_to(tmp_path / "outside" / "secret.jpg")
    (inbox / "real").mkdir()
    (inbox / "real" / "up").symlink_to(tmp_path / "outside")
    for path in ("folder", "real/up"):
        assert scanner.list(path) is None
        assert scanner.stamp(f"{path}/secret.jpg") is None
        with pytest.raises(FileChanged):
            read(scanner, f"{path}/secret.jpg")
    with pytest.raises(FileChanged):
        read(scanner, "link.jpg")
    assert scanner.kind("link.jpg") == "a symbolic link"
    assert scanner.stamp("link.jpg") == stamp(inbox / "link.jpg")


def test_only_regular_files_are_opened(inbox: Path, scanner: Scanner) -> None:
    os.mkfifo(inbox / "fifo.jpg")
    (inbox / "folder.jpg").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(inbox / "socket.jpg"))
    for name, kind in (("fifo.jpg", "a FIFO"), ("folder.jpg", "a folder"), ("socket.jpg", "a socket")):
        assert scanner.kind(name) == kind
        with pytest.raises(FileChanged, match="no regular file"):
            read(scanner, name)
    write(inbox / "file.jpg", b"bytes")
    assert scanner.kind("file.jpg") is None
    assert read(scanner, "file.jpg") == b"bytes"
    with pytest.raises(FileChanged, match="not there any more"):
        read(scanner, "missing.jpg")


def test_descriptors_are_given_back(inbox: Path, scanner: Scanner) -> None:
    write(inbox / "a" / "b" / "c.jpg", b"bytes")
    (inbox / "a" / "link.jpg").symlink_to("b")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        scanner.list("a/b")
        scanner.list("a/b/missing")
        scanner.stamp("a/b/c.jpg")
        scanner.stamp("a/b/missing")
        read(scanner, "a/b/c.jpg")
        for path in ("a/link.jpg", "a/missing.jpg", "a/b"):
            with pytest.raises(FileChanged):
                read(scanner, path)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("folder", ["", "s/"])
def test_a_stamp_tells_what_the_same_bytes_and_times_do_not(inbox: Path, scanner: Scanner, folder: str) -> None:
    file = write(inbox / f"{folder}a.jpg", b"same")
    before = scanner.stamp(f"{folder}a.jpg")
    assert before == stamp(file)
    times = file.stat()
    await_tick(inbox.with_name("clock"), times.st_ctime_ns)  # the file system may give the inode's number again
    file.unlink()
    assert scanner.stamp(f"{folder}a.jpg") is None
    write(file, b"same")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert scanner.stamp(f"{folder}a.jpg") != before
    inbox.rename(inbox.with_name("elsewhere"))
    with pytest.raises(FolderUnavailable, match="watch folder"):
        scanner.stamp(f"{folder}a.jpg")
    with pytest.raises(FolderUnavailable, match="watch folder"):
        read(scanner, f"{folder}a.jpg")


def test_a_sweep_yields_folders_whose_times_differ_in_either_direction(inbox: Path, scanner: Scanner) -> None:
    known = {}
    for name in ("same", "added", "older", "gone", "link"):
        write(inbox / name / "a.jpg", b"")
    for folder in ("", "same", "added", "older", "gone", "link"):
        listing = scanner.list(folder)
        assert listing is not None
        known[folder] = listing.times
    await_tick(inbox.with_name("clock"), max(listed.ctime_ns for listed in known.values()))
    write(inbox / "added" / "b.jpg", b"")
    os.utime(inbox / "older", (1, 1))
    (inbox / "gone" / "a.jpg").unlink()
    (inbox / "gone").rmdir()
    (inbox / "link").rename(inbox / "real")
    (inbox / "link").symlink_to("real")
    assert set(scanner.sweep(known)) == {"", "added", "older", "gone", "link"}


def test_a_name_that_is_no_utf8_goes_there_and_back(inbox: Path, scanner: Scanner) -> None:
    with open(bytes(inbox) + b"/caf\xe9.jpg", "wb") as file:
        file.write(b"bytes")
    listing = scanner.list("")
    assert listing is not None
    ((name, *seen),) = listing.files
    assert os.fsencode(name) == b"caf\xe9.jpg"
    assert scanner.stamp(name) == Stamp(*seen)
    assert read(scanner, name) == b"bytes"


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="needs a tmpfs: ext4 keeps no such times")
@pytest.mark.parametrize("year", [1000, 3000])
def test_times_that_take_more_than_64_bits_are_kept_all_the_same(year: int) -> None:
    """SQLite takes no more. Both looks at a file must say the same, and whether it was touched must show."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        scanner = Scanner(Path(place), Filters.of(["jpg"]))
        (Path(place) / "a.jpg").touch()
        stamps = []
        for second in range(2):
            at = ((year - 1970) * 31_556_952 + second) * 10**9
            os.utime(Path(place) / "a.jpg", ns=(at, at))
            assert not -(2**63) <= (Path(place) / "a.jpg").stat().st_mtime_ns < 2**63
            listing = scanner.list("")
            assert listing is not None
            ((_, *seen),) = listing.files
            stamps.append(Stamp(*seen))
            assert stamps[-1] == scanner.stamp("a.jpg")
            assert -(2**63) <= stamps[-1].mtime_ns < 2**63
        assert stamps[0].mtime_ns != stamps[1].mtime_ns
