"""AVIF and GIF: whole ones pass, cut, zeroed and holed ones do not. On files that Pillow makes."""

from __future__ import annotations

import hashlib
import io
import os
import random
import struct
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from tests.examined import look_at

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agent.model import Image

SIZE = (160, 120)


@cache
def scene(mode: str = "RGB", seed: int = 1, size: tuple[int, int] = SIZE) -> Pillow.Image:
    """A picture with noise everywhere."""
    pixels = random.Random(seed).randbytes(3 * size[0] * size[1])
    return Pillow.frombytes("RGB", size, pixels).convert(mode)


def saved(picture: Pillow.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def turned(orientation: int) -> bytes:
    exif = Pillow.Exif()
    exif[274] = orientation
    exif[0x8769] = {0x9003: "2024:01:31 12:00:05"}
    return saved(scene(), "AVIF", exif=exif)


SEVERAL = {"save_all": True, "append_images": [scene(seed=2), scene(seed=3)], "duration": 100}
GOOD: dict[str, Callable[[], bytes]] = {
    "gif": lambda: saved(scene(), "GIF"),
    "gif-grey": lambda: saved(scene("L"), "GIF"),
    "gif-black-and-white": lambda: saved(scene("1"), "GIF"),
    "gif-plain": lambda: saved(scene(), "GIF", interlace=0),
    "gif-comment": lambda: saved(scene(), "GIF", comment=b"x" * 700, transparency=3),
    "gif-animated": lambda: saved(scene(), "GIF", **SEVERAL),
    "avif": lambda: saved(scene(), "AVIF"),
    "avif-coarse": lambda: saved(scene(), "AVIF", quality=1, speed=10),
    "avif-lossless": lambda: saved(scene(), "AVIF", quality=100, subsampling="4:4:4"),
    "avif-alpha": lambda: saved(scene("RGBA"), "AVIF"),
    "avif-grey": lambda: saved(scene("L"), "AVIF", subsampling="4:0:0"),
    "avif-tiles": lambda: saved(scene(size=(1024, 512)), "AVIF", tile_rows=1, tile_cols=2, speed=10),
    "avif-exif": lambda: turned(1),
    "avif-animated": lambda: saved(scene(), "AVIF", **SEVERAL),
    "avif-black": lambda: saved(Pillow.new("RGB", SIZE), "AVIF"),
}
every_good = pytest.mark.parametrize("kind", GOOD)


@cache
def content(kind: str) -> bytes:
    return GOOD[kind]()


def look(folder: Path, content: bytes, name: str = "a.bin", *, sparse: tuple[int, int] = (0, 0)) -> Image:
    """Examine a file; the bytes between the two places of `sparse` are never written."""
    path = folder / name
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.write(content[: sparse[0]])
        file.seek(sparse[1])
        file.write(content[sparse[1] :])
    return look_at(path)


@every_good
def test_a_whole_one_passes(kind: str, tmp_path: Path) -> None:
    image = look(tmp_path, content(kind))
    assert image.problem is None
    assert image.format == kind.partition("-")[0].upper()
    assert image.pixels == ((1024, 512) if kind == "avif-tiles" else SIZE)
    assert image.digest == hashlib.sha256(content(kind)).hexdigest()
    assert (image.warning is not None) == kind.endswith("-animated")


@pytest.mark.parametrize(("form", "said"), [("GIF", "it holds 3 pictures"), ("AVIF", "it holds several pictures")])
def test_several_pictures_in_one_file_are_told(form: str, said: str, tmp_path: Path) -> None:
    image = look(tmp_path, content(f"{form.lower()}-animated"))
    assert image.warning == f"{said} (an animated {form}): annotators may see the first alone, or all in turn"


@every_good
@pytest.mark.parametrize("tail", [b"\0", bytes(300_000), b"\xff\xd8\xff\xe0 a preview \xff", b"video" * 100_000])
def test_bytes_after_the_end_are_fine(kind: str, tail: bytes, tmp_path: Path) -> None:
    assert look(tmp_path, content(kind) + tail).problem is None


@every_good
def test_every_cut_is_told(kind: str, tmp_path: Path) -> None:
    whole = content(kind)
    for kept in sorted({*range(1, len(whole), 1 + len(whole) // 150), *range(16, 64), len(whole) - 1}):
        image = look(tmp_path, whole[:kept])
        assert image.problem is not None, kept
        assert image.problem.startswith(("cut short: ", "damaged: ", "not an image: ")), image.problem


@every_good
def test_every_tail_of_zeros_is_told(kind: str, tmp_path: Path) -> None:
    whole = content(kind)
    for kept in range(1, len(whole) - 20, 1 + len(whole) // 150):
        assert look(tmp_path, whole[:kept] + bytes(len(whole) - kept)).problem is not None, kept


@pytest.mark.parametrize("kind", ["gif", "gif-grey", "gif-comment", "gif-animated"])
def test_every_hole_is_told_in_a_gif(kind: str, tmp_path: Path) -> None:
    whole = content(kind)
    size = 256 + (768 if kind == "gif-animated" else 0)  # any bytes are colours
    for at in range(800, len(whole) - size - 10, 97):
        assert look(tmp_path, whole[:at] + bytes(size) + whole[at + size :]).problem is not None, at


@pytest.mark.parametrize("kind", ["avif", "avif-alpha"])
def test_a_hole_that_the_file_system_shows_is_told(kind: str, tmp_path: Path) -> None:
    whole = saved(scene(size=(400, 300)), "AVIF", quality=90, speed=10)
    assert len(whole) > 20_000
    image = look(tmp_path, whole, sparse=(8192, 16384))
    with open(tmp_path / "a.bin", "rb") as file:
        if os.lseek(file.fileno(), 0, os.SEEK_HOLE) == len(whole):
            pytest.skip("this file system shows no holes")
    assert image.problem == "cut short: bytes 8,192 to 16,384 of the AVIF's picture were never written; copy it again"


def test_zeros_where_the_coded_picture_begins_are_told(tmp_path: Path) -> None:
    whole = content("avif")
    start = whole.index(b"mdat") + 4
    assert look(tmp_path, whole[:start] + bytes(400) + whole[start + 400 :]).problem == (
        "damaged: the AVIF's picture data is no AV1; copy it again"
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_how_an_avif_is_turned(orientation: int, tmp_path: Path) -> None:
    image = look(tmp_path, turned(orientation))
    assert (image.problem, image.pixels, image.orientation) == (None, SIZE, orientation)
    assert image.taken == (1_706_702_405_000_000_000, 0, False)


def test_a_picture_larger_than_its_screen_is_seen_whole(tmp_path: Path) -> None:
    whole = bytearray(content("gif"))
    whole[6:10] = struct.pack("<HH", 10, 200)
    assert look(tmp_path, bytes(whole)).pixels == (160, 200)


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


HOSTILE = {
    "no size": box(b"ftyp", b"avif\0\0\0\0") + box(b"meta", bytes(4)),
    "endless items": box(b"ftyp", b"avif\0\0\0\0")
    + box(b"meta", bytes(4) + box(b"pitm", bytes(6)) + box(b"iloc", b"\2\0\0\0\0\0\xff\xff\xff\xff" + bytes(600_000))),
    "places of no bytes": box(b"ftyp", b"avif\0\0\0\0")
    + box(b"meta", bytes(4) + box(b"iloc", bytes(4) + b"\0\0\xff\xff" + b"\0\1\0\0\xff\xff" * 60_000)),
    "many boxes": box(b"ftyp", b"avif\0\0\0\0") + box(b"free", b"") * 200_000,
    "a length of 2^64": box(b"ftyp", b"avif\0\0\0\0") + b"\0\0\0\1meta" + b"\xff" * 8,
    "shorter than its header": box(b"ftyp", b"avif\0\0\0\0") + b"\0\0\0\4meta",
    "small blocks": b"GIF89a" + bytes(7) + b",\0\0\0\0\1\0\1\0\0\2" + b"\1x" * 600_000,
    "empty extensions": b"GIF89a" + bytes(7) + b"!\xfe\0" * 400_000,
    "no pictures": b"GIF89a" + bytes(7) + b";",
    "an empty picture": b"GIF89a" + bytes(7) + b",\0\0\0\0\1\0\1\0\0\2\0;",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_length_is_trusted(kind: str, tmp_path: Path) -> None:
    problem = look(tmp_path, HOSTILE[kind]).problem
    assert problem is not None
    assert problem.isprintable()


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(sorted(GOOD)),
    changes=st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), min_size=1, max_size=6),
    kept=st.integers(0, 100),
)
def test_damaged_heads(kind: str, changes: list[tuple[int, int]], kept: int, tmp_path: Path) -> None:
    damaged = bytearray(content(kind))
    for at, value in changes:
        damaged[at % len(damaged)] = value
    image = look(tmp_path, bytes(damaged[: len(damaged) * kept // 100]))
    assert image.problem is None or image.problem.isprintable()
    assert image.orientation in range(1, 9)
