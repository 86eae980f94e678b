"""Reading files whose times move while they are read: real files, and a mount's ways played by the test."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from agent.core.names import Filters
from agent.errors import FileChanged, FileUnreadable
from agent.folder.inodes import InodeWatch
from agent.folder.scanner import Scanner
from agent.model import Kind
from agent.reading.examiner import FileExaminer
from agent.reading.reader import Reader
from tests.support import frames, image, write

if TYPE_CHECKING:
    from pathlib import Path

    from agent.model import Image, Stamp, Unit


class Mount:
    """A folder with a reader that notes what it reads; `stirred` names the files whose times move meanwhile."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.scanner = Scanner(root, Filters.of(["jpg"]))
        self.stirred: set[str] = set()
        self.read: list[str] = []
        self._reader = Reader(_Noting(self), "warn")
        self._pread = os.pread
        monkeypatch.setattr(os, "pread", self._reads)

    def image(self, path: str) -> Unit:
        stamp = self.scanner.stamp(path)
        assert stamp is not None
        return self._reader.image(path, stamp)

    def sequence(self, folder: str) -> Unit:
        listing = self.scanner.list(folder)
        assert listing is not None
        return self._reader.sequence(folder, [*listing.files])

    def _reads(self, fd: int, count: int, offset: int) -> bytes:
        if self.read and self.read[-1] in self.stirred:
            os.utime(fd)
        return self._pread(fd, count, offset)


class _Noting(FileExaminer):
    def __init__(self, mount: Mount) -> None:
        super().__init__(mount.scanner)
        self._mount = mount

    def image(self, path: str, stamp: Stamp, folder: int | None = None) -> Image:
        self._mount.read.append(path)
        return super().image(path, stamp, folder)


@pytest.fixture
def mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mount:
    return Mount(tmp_path, monkeypatch)


def test_an_image_is_read_twice_where_its_times_move(mount: Mount) -> None:
    write(mount.root / "a.jpg", image(1))
    mount.stirred = {"a.jpg"}
    for times in (1, 2):
        with pytest.raises(FileChanged, match=r"'a\.jpg' changed while it was read"):
            mount.image("a.jpg")
        assert len(mount.read) == times
    unit = mount.image("a.jpg")
    assert len(mount.read) == 2
    assert unit.frames[0].stamp == mount.scanner.stamp("a.jpg")
    assert unit == mount.image("a.jpg")
    write(mount.root / "a.jpg", image(1))  # by somebody else, though it is the same
    with pytest.raises(FileChanged):
        mount.image("a.jpg")
    assert unit.digest == mount.image("a.jpg").digest
    assert len(mount.read) == 3


def test_of_a_sequence_only_those_frames_are_read_again_that_must_be(mount: Mount) -> None:
    for file in frames(mount.root / "s", 5, seed=1):
        os.utime(file, (1, 1))
    expected = mount.sequence("s")
    mount.read.clear()
    write(mount.root / "s" / "frame_6.jpg", image(6))
    mount.stirred = {"s/frame_2.jpg", "s/frame_4.jpg"}
    with pytest.raises(FileChanged, match="frame_2"):
        mount.sequence("s")
    assert mount.read == [f"s/frame_{number}.jpg" for number in range(1, 7)]
    mount.read.clear()
    with pytest.raises(FileChanged, match="frame_2"):
        mount.sequence("s")
    assert mount.read == ["s/frame_2.jpg", "s/frame_4.jpg"]
    mount.read.clear()
    unit = mount.sequence("s")
    assert mount.read == []
    assert [frame.digest for frame in unit.frames[:5]] == [frame.digest for frame in expected.frames]
    assert (unit.kind, unit.problem, unit.warning) == (Kind.SEQUENCE, None, None)


def test_a_frame_that_is_replaced_costs_no_other_a_second_reading(mount: Mount) -> None:
    frames(mount.root / "s", 4, seed=1)
    listing = mount.scanner.list("s")
    assert listing is not None
    write(mount.root / "s" / "frame_3.jpg", image(7) + b"longer")
    with pytest.raises(FileChanged):
        mount._reader.sequence("s", [*listing.files])
    mount.sequence("s")
    assert mount.read == [f"s/frame_{number}.jpg" for number in (1, 2, 3, 3, 4)]


def test_what_could_not_be_read_is_read_again_however_it_looks(mount: Mount, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person mends the rights of a folder above, which no file shows."""
    frames(mount.root / "s", 3, seed=1)
    descriptor, refused = mount.scanner.descriptor, {"s/frame_2.jpg"}

    def refusing(path: str, folder: int | None = None) -> int:
        if path in refused:
            raise PermissionError(13, "Permission denied")
        return descriptor(path, folder)

    monkeypatch.setattr(mount.scanner, "descriptor", refusing)
    mount.stirred = {"s/frame_1.jpg"}
    with pytest.raises(FileUnreadable, match=r"s/frame_2\.jpg: it may not be read"):
        mount.sequence("s")
    refused.clear()
    mount.stirred = set()
    assert mount.sequence("s").problem is None


def test_a_file_that_is_replaced_all_the_time_is_no_proof_that_inodes_change(tmp_path: Path) -> None:
    """On a real disk: each time it has another inode, and another time of change."""
    scanner = Scanner(tmp_path, Filters.of(["jpg"]))
    write(tmp_path / "live.jpg", image(1))
    watch = InodeWatch(scanner)
    listing = scanner.list("")
    assert listing is not None
    watch.sample(listing)
    for _ in range(40):
        write(tmp_path / "next", image(1))
        os.replace(tmp_path / "next", tmp_path / "live.jpg")
        watch.look()
    assert scanner.inodes_last
