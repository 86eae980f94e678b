"""Folders of files to measure with, and ledgers that know them. Trees are kept for the next run: they take a while."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import os
import random
import shutil
from typing import TYPE_CHECKING

from PIL import Image

from agent.folder.scanner import Scanner
from agent.host.clock import utc_now
from agent.ledger import baseline
from agent.ledger.store import Ledger
from agent.model import Frame, Kind, Stamp, Unit, join
from agent.settings.parts import filters_of, world_of
from tests.support import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from agent.model import File
    from tests.benchmarks.measure import Bench

FRAMES = 1000
"""Files in each folder of a tree of frames."""
LARGE = (200, 154)
"""Pixels of a JPEG of noise of 20 KB."""
SMALL = (16, 12)
WRITTEN_TOGETHER = 1000


def kept(bench: Bench, name: str, make: Callable[[Path], None]) -> Path:
    """Return a tree that an earlier run has left, or have it made."""
    tree, done = bench.out / "trees" / name, bench.out / "trees" / f"{name}.done"
    if not done.exists():
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir(parents=True)
        make(tree)
        os.sync()  # what is still being written to the disk would disturb what is measured
        done.touch()
    return tree


def folders_of_frames(bench: Bench, folders: int, frames: int, size: tuple[int, int] | None = None) -> Path:
    """Return `cam_0001/frame_00001.jpg` …: empty files, or JPEGs of so many pixels."""

    def make(tree: Path) -> None:
        for folder in range(1, folders + 1):
            place = tree / f"cam_{folder:04d}"
            place.mkdir()
            for frame in range(1, frames + 1):
                content = b"" if size is None else jpeg(folder * frames + frame, size)
                put(str(place / f"frame_{frame:05d}.jpg"), content)

    form = "empty" if size is None else "{}x{}".format(*size)
    return kept(bench, f"frames-{folders}x{frames}-{form}", make)


def drop(tree: Path) -> None:
    """Remove a tree that would be kept."""
    tree.with_name(f"{tree.name}.done").unlink(missing_ok=True)
    shutil.rmtree(tree)


LINKS = 60_000
"""Links that a file has here: ext4 lets one have 65,000."""


def folders_of_links(bench: Bench, folders: int, frames: int) -> Path:
    """Return a tree as `folders_of_frames` does, of empty files that are links to a few, which take no inodes."""

    def make(tree: Path) -> None:
        names = [f"frame_{frame:05d}.jpg" for frame in range(1, frames + 1)]
        each = LINKS // frames
        for folder in range(folders):
            if folder % each == 0:
                source = str(tree / f"cam_{folder + 1:05d}" / names[0])
            place = tree / f"cam_{folder + 1:05d}"
            place.mkdir()
            for name in names:
                path = str(place / name)
                if path == source:
                    put(path, b"")
                else:
                    os.link(source, path)

    return kept(bench, f"links-{folders}x{frames}", make)


def images(bench: Bench, count: int, size: tuple[int, int] = LARGE) -> Path:
    """Return `img_00001.jpg` …, JPEGs of so many pixels (of 20 KB where not given), all in one folder."""

    def make(tree: Path) -> None:
        for number in range(1, count + 1):
            put(str(tree / f"img_{number:05d}.jpg"), jpeg(number, size))

    return kept(bench, "images-{}-{}x{}".format(count, *size), make)


def put(path: str, content: bytes) -> None:
    """Write a new file."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        os.write(fd, content)
    finally:
        os.close(fd)


def jpeg(number: int, size: tuple[int, int]) -> bytes:
    """Return a whole JPEG unlike those of other numbers: the number stands in a comment at its beginning."""
    base = _noise(size)
    return base[:2] + b"\xff\xfe\x00\x0a" + number.to_bytes(8, "big") + base[2:]


@functools.cache
def _noise(size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    noise = random.Random(1).randbytes(size[0] * size[1] * 3)
    Image.frombytes("RGB", size, noise).save(buffer, "JPEG")
    return buffer.getvalue()


def know(place: Path, tree: Path, **changed: str) -> None:
    """Write all that is in a tree into a new ledger in `place`, as `playment-agent baseline` does but for the reading.

    The digests are not the contents': nothing that is measured compares them.
    """
    set_up = settings(place, "http://127.0.0.1:9", WATCH_DIR=str(tree), **changed)
    filters = filters_of(set_up)
    scanner = Scanner(tree, filters)
    with contextlib.closing(Ledger(set_up.ledger_path, utc_now)) as ledger:
        ledger.bind(world_of(set_up))
        for folder in _folders(scanner):
            listing = scanner.list(folder)
            assert listing is not None
            units = list(_units(folder, sorted(listing.files), filters.kind(folder)))
            for start in range(0, len(units), WRITTEN_TOGETHER):
                with ledger.transaction():
                    baseline.set_aside_all(ledger, units[start : start + WRITTEN_TOGETHER])


def _folders(scanner: Scanner, folder: str = "") -> Iterator[str]:
    listing = scanner.list(folder)
    assert listing is not None
    yield folder
    for inner in sorted(listing.subfolders):
        yield from _folders(scanner, inner)


def _units(folder: str, files: list[File], kind: Kind) -> Iterator[Unit]:
    frames = [
        Frame(position, name, path := join(folder, name), Stamp(*stamp), _digest(path))
        for position, (name, *stamp) in enumerate(files)
    ]
    if kind is Kind.IMAGE:
        yield from (Unit(frame.path, kind, (frame._replace(position=0),), frame.digest) for frame in frames)
    elif frames:
        yield Unit(folder, kind, tuple(frames), _digest(folder))


def _digest(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()
