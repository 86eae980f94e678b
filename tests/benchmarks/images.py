"""What it costs to tell that a picture is whole, beside sha256 of the same bytes, which the agent needs in any case.

Of each format 200 files of a camera's size, made by Pillow of pictures as a camera gives. Each is examined, as the
agent does, and read and hashed alone, in chunks of the same size, in turn; the one that begins changes from file to
file, so that neither finds the bytes warmer. Of TIFF, what examining takes beyond the hash, which reading a picture
alone does not need, is laid beside Pillow's load. `memory` is by how much a process of its own grows at its highest
with a picture of 12 megapixels (VmHWM), after it has examined a small one.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image

from agent.model import Stamp
from agent.reading.check import examine
from tests.benchmarks.measure import TIMES, Bench, Figure, Row, median_of
from tests.pictures import scenes

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
CHUNK = 256 * 1024
PICTURES = 20
"""So many differ; the files beyond are their copies."""
MOST_MIB = 8.0
FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "JPEG": ("JPEG", {"quality": 90}),
    "PNG": ("PNG", {}),
    "WebP": ("WEBP", {"quality": 90}),
    "BMP": ("BMP", {}),
    "TIFF": ("TIFF", {}),
    "TIFF LZW": ("TIFF", {"compression": "tiff_lzw"}),
}


def images(bench: Bench) -> list[Row]:
    """Judge the time and the memory of each format."""
    return [_row(bench, name) for name in FORMATS]


def _row(bench: Bench, name: str) -> Row:
    size, count = bench.size(scenes.CAMERA, scenes.ODD), bench.size(200, 4)
    with bench.place() as place:
        paths = _made(place, name, size, count)
        small, large = str(place / "small"), str(place / "large")
        _save(scenes.street(scenes.ODD), name, small)
        _save(scenes.street(bench.size(scenes.LARGE, scenes.SMALL)), name, large)
        grown = Figure("memory", _grown_mib(small, large), "MiB", MOST_MIB)
        spent = [bench.apart(in_turn, paths, loading=name.startswith("TIFF")) for _ in range(bench.repeat)]
        mean_kib = sum(os.path.getsize(path) for path in paths) / count / 1024
    ratio = Figure("ratio", median_of(spent, lambda each: each.ratio), TIMES, 1.6)
    figures = [ratio, Figure("", 1000 * median_of(spent, lambda each: each.examining), "ms"), grown]
    reference = f"sha256: {1000 * median_of(spent, lambda each: each.hashing):.3g} ms"
    if name.startswith("TIFF"):
        beyond = median_of(spent, lambda each: max(0.0, each.examining - each.hashing) / each.loading)
        figures.append(Figure("beyond sha256, of loading", beyond, TIMES, 1.0))
        reference += f", Pillow's load: {1000 * median_of(spent, lambda each: each.loading):.3g} ms"
    return Row("images", f"{count} {name} of {size[0]} x {size[1]}, {mean_kib:,.0f} KiB", tuple(figures), reference)


def _made(place: Path, name: str, size: tuple[int, int], count: int) -> list[str]:
    paths = [str(place / f"{number:03}") for number in range(count)]
    for number, path in enumerate(paths[:PICTURES]):
        _save(scenes.street(size, number), name, path)
    scenes.street.cache_clear()
    for number, path in enumerate(paths[PICTURES:]):
        Path(path).write_bytes(Path(paths[number % PICTURES]).read_bytes())
    os.sync()
    return paths


def _save(picture: Image.Image, name: str, path: str) -> None:
    form, options = FORMATS[name]
    picture.save(path, form, **options)


class Spent(NamedTuple):
    """Seconds for a file, and how many times hashing examining takes: medians, each ratio being of one file."""

    examining: float
    hashing: float
    loading: float
    ratio: float


def in_turn(paths: Sequence[str], *, loading: bool) -> Spent:
    """Examine each file, hash it alone, and load it, if that is wanted."""
    works = (_examine, _hash, _load) if loading else (_examine, _hash)
    spent = [[0.0, 0.0, 0.0] for _ in paths]
    for number, path in enumerate(paths):
        fd = os.open(path, os.O_RDONLY)
        try:
            for turn in range(len(works)):
                at = (number + turn) % len(works)
                begun = time.perf_counter()
                works[at](fd)
                spent[number][at] = time.perf_counter() - begun
        finally:
            os.close(fd)
    ratio = median(examining / hashing for examining, hashing, _ in spent)
    examining, hashing, loaded = (median(seconds) for seconds in zip(*spent, strict=True))
    return Spent(examining, hashing, loaded, ratio)


def _examine(fd: int) -> None:
    image = examine(fd, "", Stamp.of(os.fstat(fd)))
    assert image.problem is None, image.problem


def _hash(fd: int) -> None:
    sha, buffer, at = hashlib.sha256(), memoryview(bytearray(CHUNK)), 0
    while count := os.preadv(fd, [buffer], at):
        sha.update(buffer[:count])
        at += count
    sha.hexdigest()


def _load(fd: int) -> None:
    os.lseek(fd, 0, os.SEEK_SET)
    with open(fd, "rb", closefd=False) as file, Image.open(file) as picture:
        picture.load()


def _grown_mib(small: str, large: str) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.growing", small, large]
    return float(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
