"""TIFF of many kinds: whole ones pass, cut ones are told, and of those that lack a part what their coding proves.

The shares that are not found are those of the table here.
"""

from __future__ import annotations

import io
import os
import random
import struct
import zlib
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from tests.examined import look, look_at
from tests.pictures.scenes import grainy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


WIDTH, HEIGHT = 640, 480
TAGS = {
    "kind": 254, "old kind": 255, "width": 256, "height": 257, "bits": 258, "coding": 259, "colours": 262,
    "offsets": 273, "samples": 277, "rows": 278, "counts": 279, "planar": 284, "across": 322, "down": 323,
    "tiles": 324, "tile counts": 325, "sampling": 530,
}  # fmt: skip
CODINGS = {"raw": 1, "deflate": 8, "old deflate": 32946, "packbits": 32773, "zstd": 50000}


def tiff(parts: list[bytes], *, order: str = "<", last: bool = False, pointer: bool = True, **tags: Any) -> bytes:
    """Return a file of these strips or tiles; its directory stands behind them, or before."""
    own = {"width": WIDTH, "height": HEIGHT, "bits": 8, "coding": 1, "colours": 1, "samples": 1, **tags}
    named = {TAGS[name.replace("_", " ")]: value for name, value in own.items() if value is not None}
    places, sizes = (324, 325) if 322 in named else (273, 279)
    named.setdefault(sizes, tuple(map(len, parts)))
    named[places] = tuple(0 for _ in parts)
    count = len(named)
    kept = sum(4 * len(value) for value in named.values() if isinstance(value, tuple) and len(value) > 1)
    directory = 8 + (sum(map(len, parts)) if last else 0)
    beyond = directory + 2 + 12 * count + 4
    data = 8 if last else beyond + kept
    if last and not pointer:  # what does not fit into an entry stands before the directory
        beyond, directory = directory, directory + kept
    offsets = [data + sum(map(len, parts[:index])) for index in range(len(parts))]
    named[places] = tuple(offsets)
    table, values = struct.pack(order + "H", count), b""
    for tag, value in sorted(named.items()):
        many = value if isinstance(value, tuple) else (value,)
        if len(many) == 1:
            table += struct.pack(order + "HHII", tag, 4, 1, many[0])
        else:
            table += struct.pack(order + "HHII", tag, 4, len(many), beyond + len(values))
            values += struct.pack(f"{order}{len(many)}I", *many)
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, directory)
    if last and not pointer:
        return head + b"".join(parts) + values + table
    table += bytes(4)
    return head + b"".join(parts) + table + values if last else head + table + values + b"".join(parts)


def scene(mode: str = "RGB") -> Pillow.Image:
    return grainy((WIDTH, HEIGHT), mode)


def flat(colour: tuple[int, int, int]) -> Pillow.Image:
    picture = scene().copy()
    picture.paste(colour, (0, 100, WIDTH, 400))
    return picture


def blank(colour: tuple[int, int, int]) -> Pillow.Image:
    return Pillow.new("RGB", (2 * WIDTH, 2 * HEIGHT), colour)


PICTURES: dict[str, Callable[[], Pillow.Image]] = {
    "scene": scene,
    "black between": lambda: flat((0, 0, 0)),
    "grey between": lambda: flat((129, 129, 129)),
    "white": lambda: blank((255, 255, 255)),
    "grey": lambda: blank((129, 129, 129)),
    "night": lambda: scene().point(lambda value: max(0, value - 110)),
}
SAVED = ("raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "jpeg", "zstd", "group4")


@cache
def saved(picture: str, coding: str, mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    chosen = PICTURES[picture]().convert("1" if coding == "group4" else mode)
    chosen.save(file, "TIFF", compression=None if coding == "raw" else coding)
    return file.getvalue()


def strips(picture: Pillow.Image, rows: int, code: Callable[[bytes], bytes] = bytes) -> list[bytes]:
    pixels = picture.tobytes()
    size = rows * len(pixels) // picture.height
    return [code(pixels[at : at + size]) for at in range(0, len(pixels), size)]


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize(
    ("coding", "mode"), [each for each in product(SAVED, ["RGB", "L", "CMYK", "RGBA"]) if each != ("jpeg", "RGBA")]
)
def test_what_pillow_writes_passes(picture: str, coding: str, mode: str, tmp_path: Path) -> None:
    image = look(tmp_path, saved(picture, coding, mode))
    no_ink = "all of its pixels are zeros, which are a colour here"
    assert (image.problem, image.warning) == (
        None,
        no_ink if (picture, coding, mode) == ("white", "raw", "CMYK") else None,
    )


def whole() -> dict[str, bytes]:
    """Return what Pillow does not write, each ending in some black."""
    grey = scene("L").copy()
    grey.paste(0, (0, 470, WIDTH, HEIGHT))
    rgb = scene().copy()
    rgb.paste((0, 0, 0), (0, 470, WIDTH, HEIGHT))
    chance = random.Random(3)
    half = [chance.randbytes(WIDTH // 2 * 6) for _ in range(HEIGHT // 2)]
    planes = [part for band in rgb.split() for part in strips(band, 100)]
    tiles = [
        grey.crop((left, top, left + 128, top + 96)).tobytes()
        for top in range(0, HEIGHT, 96)
        for left in range(0, WIDTH, 128)
    ]
    return {
        "one strip": tiff([grey.tobytes()], rows=HEIGHT),
        "no row count": tiff([grey.tobytes()]),
        "no byte counts": tiff(strips(grey, 50), rows=50, counts=()),
        "a row a strip": tiff(strips(grey, 1), rows=1, order=">"),
        "strips apart": tiff([strip + b"\1" for strip in strips(grey, 7)], rows=7),
        "tiles": tiff(tiles, across=128, down=96),
        "planes": tiff(planes, rows=100, samples=3, bits=(8, 8, 8), planar=2, colours=2),
        "bits once": tiff(strips(rgb, 9), rows=9, samples=3, bits=8, colours=2),
        "bits differ": tiff([chance.randbytes(WIDTH * 2 * 20)] * 24, rows=20, samples=3, bits=(5, 6, 5), colours=2),
        "12 bits": tiff([chance.randbytes(WIDTH * 3 // 2 * HEIGHT)], bits=12),
        "YCbCr in halves": tiff([b"".join(half[:-3]) + bytes(3 * WIDTH * 3)], samples=3, bits=(8, 8, 8), colours=6),
        "YCbCr not in halves": tiff(strips(rgb, 8), rows=8, samples=3, bits=(8, 8, 8), colours=6, sampling=(1, 1)),
        "a count too large": tiff([grey.tobytes()], counts=(2 * WIDTH * HEIGHT,)),
        "packed in another way": tiff([grey.tobytes()[: WIDTH * 470] + bytes(20)], bits=16),
        "directory last": tiff([grey.tobytes()], last=True),
        "no last pointer": tiff(strips(grey, 100), rows=100, last=True, pointer=False),
    }


@pytest.mark.parametrize("kind", whole())
def test_other_kinds_pass(kind: str, tmp_path: Path) -> None:
    image = look(tmp_path, whole()[kind])
    assert (image.problem, image.warning, image.pixels) == (None, None, (WIDTH, HEIGHT))


@pytest.mark.parametrize("kind", sorted({*whole()} - {"a count too large", "directory last", "no last pointer"}))
@pytest.mark.parametrize("share", [1, 30, 60, 90, 99])
def test_each_cut_of_them_is_told(kind: str, share: int, tmp_path: Path) -> None:
    content = whole()[kind]
    assert look(tmp_path, content[: len(content) * share // 100]).problem is not None


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(coding=st.sampled_from(SAVED), share=st.integers(1, 99))
def test_each_cut_of_what_pillow_writes_is_told(coding: str, share: int, tmp_path: Path) -> None:
    content = saved("scene", coding)
    assert look(tmp_path, content[: len(content) * share // 100]).problem is not None


def test_a_directory_that_is_cut_is_told(tmp_path: Path) -> None:
    content = tiff(strips(scene("L"), 100), rows=100, last=True, pointer=False)
    assert look(tmp_path, content).problem is None
    assert look(tmp_path, content[:-1]).problem is not None
    pages = tiff([scene("L").tobytes()], last=True)
    for kept in range(1, 5):
        assert look(tmp_path, pages[:-kept]).problem is None, "the pointer that is cut said: no other page"


NOT_FOUND = {
    "tiff_lzw": 0.0, "tiff_adobe_deflate": 0.0, "tiff_deflate": 0.0, "packbits": 0.0,
    "raw": 1.0, "jpeg": 1.0, "zstd": 1.0,
}  # fmt: skip
"""The shares of missing parts of 4 KiB that pass. Those that pass are warned of where the file has a hole."""


@pytest.mark.parametrize("coding", NOT_FOUND)
@pytest.mark.parametrize("value", [0, 255])
def test_missing_parts(coding: str, value: int, tmp_path: Path) -> None:
    content = saved("scene", coding)
    places = range(1000, len(content) - 8000, (len(content) - 9000) // 30)
    missed = sum(
        look(tmp_path, content[:at] + bytes([value]) * 4096 + content[at + 4096 :]).problem is None for at in places
    )
    assert missed / len(places) <= NOT_FOUND[coding]


@pytest.mark.parametrize("level", [0, 1, 9])
@pytest.mark.parametrize("rows", [1, 16, HEIGHT])
@pytest.mark.parametrize("coding", ["deflate", "old deflate"])
def test_deflate_is_judged_by_its_checksum(level: int, rows: int, coding: str, tmp_path: Path) -> None:
    picture = flat((0, 0, 0)).convert("L")
    parts = strips(picture, rows, lambda strip: zlib.compress(strip, level))
    content = tiff(parts, rows=rows, coding=CODINGS[coding])
    assert look(tmp_path, content).problem is None, "black that is stored as it is (level 0) is written"
    padded = [part + bytes(200) for part in parts]
    assert look(tmp_path, tiff(padded, rows=rows, coding=CODINGS[coding])).problem is None, "zeros behind the end"
    if level:
        at = len(content) - 5000
        problem = look(tmp_path, content[:at] + bytes(3000) + content[at + 3000 :]).problem
        assert "equal bytes in its picture data from byte" in str(problem)
        assert look(tmp_path, content[:at] + bytes(5000)).problem is not None


def test_a_checksum_cut_off_is_no_matter_where_all_rows_are_there(tmp_path: Path) -> None:
    parts = [zlib.compress(strip, 0)[:-4] for strip in strips(flat((0, 0, 0)).convert("L"), 16)]
    assert look(tmp_path, tiff(parts, rows=16, coding=8)).problem is None


def test_packbits_that_give_too_few_or_too_many_bytes_are_told(tmp_path: Path) -> None:
    black = [b"\x7f" + bytes(128)] * (WIDTH * HEIGHT // 128)
    content = tiff([b"".join(black)], coding=CODINGS["packbits"])
    assert look(tmp_path, content).problem is None, "literal zeros, as no one should write them"
    assert look(tmp_path, tiff([b"".join(black[:-600])], coding=CODINGS["packbits"])).problem is not None
    assert look(tmp_path, tiff([b"".join(black) + b"\x81\x81" * 600], coding=CODINGS["packbits"])).problem is not None
    assert look(tmp_path, tiff([b"\x81\x81" * (WIDTH * HEIGHT // 128)], coding=CODINGS["packbits"])).problem is None


def test_pages_are_warned_of_but_not_what_goes_with_one(tmp_path: Path) -> None:
    file = io.BytesIO()
    scene().save(file, "TIFF", save_all=True, append_images=[scene("L"), scene()])
    image = look(tmp_path, file.getvalue())
    assert image.problem is None
    assert image.warning == "it holds 3 pictures (pages): most programs show the first alone"
    for tags in ({"kind": 1}, {"kind": 4}, {"kind": 5}, {"old_kind": 2}):
        content = two_pages(**tags)
        assert (look(tmp_path, content).problem, look(tmp_path, content).warning) == (None, None)
    assert "it holds 2 pictures" in str(look(tmp_path, two_pages(kind=0)).warning)
    assert "it holds 2 pictures" in str(look(tmp_path, two_pages(kind=2)).warning)


def two_pages(**tags: Any) -> bytes:
    first = tiff([scene("L").tobytes()], last=True)
    second = tiff([scene("L").tobytes()], last=True, **tags)
    # The second's directory points into the first's pixels, which are the same.
    directory = struct.unpack_from("<I", second, 4)[0]
    return first[:-4] + struct.pack("<I", len(first)) + second[directory:]


def sparse(path: Path, content: bytes) -> None:
    """Write a file as `cp --sparse=always` does, or skip where the file system shows no holes."""
    with path.open("wb") as file:
        for at in range(0, len(content), 4096):
            block = content[at : at + 4096]
            if any(block):
                file.seek(at)
                file.write(block)
        file.truncate(len(content))
    with path.open("rb") as file:
        if os.lseek(file.fileno(), 0, os.SEEK_HOLE) >= len(content):
            pytest.skip("this file system shows no holes")


@pytest.mark.parametrize("form", ["TIFF", "BMP"])
@pytest.mark.parametrize("box", [(0, 0, WIDTH, 200), (0, 100, WIDTH, 400), (0, 200, WIDTH, HEIGHT)])
def test_black_that_was_left_out_is_warned_of_and_not_refused(
    form: str, box: tuple[int, int, int, int], tmp_path: Path
) -> None:
    picture = scene().copy()
    picture.paste((0, 0, 0), box)
    file = io.BytesIO()
    picture.save(file, form)
    sparse(tmp_path / "a.img", file.getvalue())
    image = look_at(tmp_path / "a.img")
    assert image.problem is None
    assert "are a hole in the file and read as zeros" in str(image.warning)
    dense = look(tmp_path, file.getvalue(), "b.img")
    assert (dense.problem, dense.warning, dense.digest) == (None, None, image.digest)


@pytest.mark.parametrize("coding", sorted(coding for coding, share in NOT_FOUND.items() if share))
def test_a_hole_in_data_that_proves_nothing_is_warned_of(coding: str, tmp_path: Path) -> None:
    content = saved("scene", coding)
    at = len(content) // 2 // 4096 * 4096
    sparse(tmp_path / "a.tif", content[:at] + bytes(8192) + content[at + 8192 :])
    image = look_at(tmp_path / "a.tif")
    assert image.problem is None
    assert "are a hole in the file and read as zeros" in str(image.warning)


def test_a_hole_between_strips_is_none_in_the_picture(tmp_path: Path) -> None:
    content = tiff([scene("L").tobytes()], last=True)
    directory = struct.unpack_from("<I", content, 4)[0]
    moved = content[:4] + struct.pack("<I", directory + 65_536) + content[8:directory] + bytes(65_536)
    sparse(tmp_path / "a.tif", moved + content[directory:])
    assert (look_at(tmp_path / "a.tif").problem, look_at(tmp_path / "a.tif").warning) == (None, None)


def test_pages_of_the_same_data_end_soon(tmp_path: Path) -> None:
    runs = zlib.compress(b"".join(bytes([number % 250]) * 600 for number in range(512)), 0)
    entries = [(256, WIDTH), (257, HEIGHT), (258, 8), (259, 8), (273, 8), (277, 1), (279, len(runs))]
    size = 2 + 12 * len(entries) + 4
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    start = 8 + len(runs)
    nexts = [*(start + size * number for number in range(1, 30_000)), 0]
    pages = (struct.pack("<H", 7) + table + struct.pack("<I", following) for following in nexts)
    image = look(tmp_path, b"II*\0" + struct.pack("<I", start) + runs + b"".join(pages))
    assert image.problem is None
    assert "30,000 pictures" in str(image.warning)


numbers = st.one_of(st.integers(0, 4), st.integers(0, 2**32 - 1))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tags=st.dictionaries(st.sampled_from(sorted({*TAGS} - {"offsets", "tiles"})), numbers, max_size=4),
    coding=st.sampled_from([1, 5, 8, 32773]),
    many=st.lists(numbers, max_size=5),
)
def test_directories_are_never_trusted(tags: dict[str, int], coding: int, many: list[int], tmp_path: Path) -> None:
    parts = [zlib.compress(bytes(9000), 0), random.Random(5).randbytes(700) + bytes(700)]
    given_tags: dict[str, Any] = {"coding": coding, "bits": tuple(many) or 8, "rows": 240, **tags}
    image = look(tmp_path, tiff(parts, **{name.replace(" ", "_"): value for name, value in given_tags.items()}))
    assert image.problem is None or image.problem.isprintable()
