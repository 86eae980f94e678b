"""BMP of every kind: whole ones pass, cut ones and most with a missing part are told."""

from __future__ import annotations

import os
import random
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.examined import look, look_at

if TYPE_CHECKING:
    from pathlib import Path


WIDTH, HEIGHT = 233, 120
HEADERS = (12, 40, 52, 56, 64, 108, 124)
RAW = [(header, bits) for header in HEADERS for bits in (1, 2, 4, 8, 16, 24, 32) if header != 12 or bits != 2]
CODED = {"rle8": (1, 8, 40), "rle4": (2, 4, 40), "rle24": (4, 24, 64)}


def bmp(
    header: int, bits: int, pixels: bytes, *, compression: int = 0, height: int = HEIGHT, palette: bytes | None = None
) -> bytes:
    """Return a file with a header of this length."""
    entry = 3 if header == 12 else 4
    colours = bytes(range(1, 1 + entry)) * (1 << bits) if palette is None and bits <= 8 else palette or b""
    start = 14 + header + len(colours)
    if header == 12:
        head = struct.pack("<IHHHH", 12, WIDTH, height, 1, bits)
    else:
        full = struct.pack("<IiiHHIIiiII", header, WIDTH, height, 1, bits, compression, len(pixels), 0, 0, 0, 0)
        head = full[:header].ljust(header, b"\0")
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + head + colours + pixels


def noise(bits: int, seed: int = 1) -> bytes:
    """Return rows without a zero byte, and their padding."""
    row, stride = (WIDTH * bits + 7) // 8, (WIDTH * bits + 31) // 32 * 4
    chance = random.Random(seed)
    return b"".join(bytes(value | 1 for value in chance.randbytes(row)).ljust(stride, b"\0") for _ in range(HEIGHT))


def coded(bits: int, *, seed: int = 2, flat: bool = False, literals: bool = True) -> bytes:
    """Return run-length coded rows of `bits` a pixel; flat ones of one colour each, or of runs and literals."""
    chance = random.Random(seed)
    out = b""
    for _ in range(HEIGHT):
        left = WIDTH
        while left:
            count = min(left, WIDTH if flat else chance.randint(1, 40))
            if literals and not flat and count >= 3 and chance.random() < 0.4:
                values = chance.randbytes((count * bits + 7) // 8)
                out += bytes((0, count)) + values + bytes(len(values) % 2)
            else:
                out += bytes((count,)) + chance.randbytes(3 if bits == 24 else 1)
            left -= count
        out += b"\0\0"
    return out + b"\0\1"


def run_length(kind: str, *, seed: int = 2, flat: bool = False, literals: bool = True) -> bytes:
    compression, bits, header = CODED[kind]
    return bmp(header, bits, coded(bits, seed=seed, flat=flat, literals=literals), compression=compression)


@pytest.mark.parametrize(
    ("header", "bits", "turned"),
    [(header, bits, turned) for header, bits in RAW for turned in (1, -1) if header != 12 or turned > 0],
)
def test_each_kind_of_raw_pixels_passes(header: int, bits: int, turned: int, tmp_path: Path) -> None:
    image = look(tmp_path, bmp(header, bits, noise(bits), height=turned * HEIGHT))
    assert (image.problem, image.warning, image.pixels) == (None, None, (WIDTH, HEIGHT))


@pytest.mark.parametrize(("compression", "bits"), [(3, 16), (3, 32), (6, 16), (6, 32)])
@pytest.mark.parametrize("header", [40, 56, 108, 124])
def test_bit_fields_pass(header: int, compression: int, bits: int, tmp_path: Path) -> None:
    masks = struct.pack("<III", 0xF800, 0x07E0, 0x001F) if header == 40 else b""
    content = bmp(header, bits, noise(bits), compression=compression, palette=masks)
    assert (look(tmp_path, content).problem, look(tmp_path, content).warning) == (None, None)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(kind="rle8", seed=84, flat=True, literals=False)
@example(kind="rle4", seed=517, flat=False, literals=False)
@given(kind=st.sampled_from(sorted(CODED)), seed=st.integers(0, 999), flat=st.booleans(), literals=st.booleans())
def test_run_lengths_pass_and_every_cut_is_told(
    kind: str, seed: int, flat: bool, literals: bool, tmp_path: Path
) -> None:
    whole = run_length(kind, seed=seed, flat=flat, literals=literals)
    assert look(tmp_path, whole).problem is None
    assert look(tmp_path, whole + bytes(3000)).problem is None, "the mark need not be the file's end"
    assert look(tmp_path, whole[:2] + bytes(4) + whole[6:]).problem is None, "the header need not say its size"
    kept = random.Random(seed).randrange(60, len(whole))
    assert look(tmp_path, whole[:kept]).problem is not None
    unsized = whole[:2] + bytes(4) + whole[6:34] + bytes(4) + whole[38:]
    assert look(tmp_path, unsized).problem is None
    kept = max(kept, 1200)
    assert look(tmp_path, unsized[:kept]).problem is not None or kept >= len(whole) - 2, "but for the mark, it is whole"
    assert look(tmp_path, whole[:-600] + bytes(600)).problem is not None or flat


@pytest.mark.parametrize("kind", CODED)
def test_run_lengths_are_followed_over_windows(kind: str, tmp_path: Path) -> None:
    compression, bits, header = CODED[kind]
    rows = coded(bits)[:-2]
    content = bmp(header, bits, rows * 40 + b"\0\1", compression=compression, height=HEIGHT * 40)
    unsized = content[:2] + bytes(4) + content[6:34] + bytes(4) + content[38:]
    assert len(content) > 3 * 64 * 1024
    assert look(tmp_path, unsized + b"x").problem is None
    problem = look(tmp_path, unsized[:-2]).problem
    assert problem is None, "all of its rows are there"
    assert "no end mark" in str(look(tmp_path, unsized[:-400]).problem)
    hole = len(unsized) // 2 // 2 * 2
    told = look(tmp_path, content[:hole] + bytes(16 * 1024) + content[hole + 16 * 1024 :]).problem
    assert "more than its 4,800 lines" in str(told)


def test_colours_that_repeat_are_no_hole(tmp_path: Path) -> None:
    runs = (b"\x07\x07" * 33 + b"\x02\x07" + b"\0\0") * HEIGHT + b"\0\1"
    assert look(tmp_path, bmp(40, 8, runs.replace(b"\0\0", b""), compression=1)).problem is None


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(RAW), kept=st.integers(0, 99))
def test_every_cut_of_raw_pixels_is_told(kind: tuple[int, int], kept: int, tmp_path: Path) -> None:
    whole = bmp(*kind, noise(kind[1]))
    assert look(tmp_path, whole[: len(whole) * kept // 100]).problem is not None


NOT_FINDABLE = {"rle8": 0.0, "rle4": 0.0, "rle24": 0.0, "raw": 1.0}
"""The shares of missing parts of 4 KiB that pass: raw pixels that read as zeros are black, unless there is a hole."""


@pytest.mark.parametrize("kind", NOT_FINDABLE)
def test_missing_parts(kind: str, tmp_path: Path) -> None:
    whole = bmp(40, 24, noise(24))
    if kind in CODED:
        compression, bits, header = CODED[kind]
        whole = bmp(header, bits, coded(bits)[:-2] * 8 + b"\0\1", compression=compression, height=HEIGHT * 8)
    places = range(1200, len(whole) - 5000, (len(whole) - 6200) // 40)
    missed = sum(look(tmp_path, whole[:at] + bytes(4096) + whole[at + 4096 :]).problem is None for at in places)
    assert missed / len(places) <= NOT_FINDABLE[kind]


def sparse(path: Path, content: bytes, first: int, last: int) -> None:
    """Write a file with a hole, or skip where the file system shows none."""
    with path.open("wb") as file:
        file.write(content[:first])
        file.seek(last)
        file.write(content[last:])
    with path.open("rb") as file:
        if os.lseek(file.fileno(), 0, os.SEEK_HOLE) >= len(content):
            pytest.skip("this file system shows no holes")


def test_a_hole_in_raw_pixels_is_warned_of(tmp_path: Path) -> None:
    content = bmp(40, 24, noise(24))
    sparse(tmp_path / "a.bmp", content, 8192, 16384)
    image = look_at(tmp_path / "a.bmp")
    assert image.problem is None
    assert str(image.warning).startswith("8,192 bytes of its pixels, from byte 8,192 on, are a hole in the file")
    zeroed = look(tmp_path, content[:8192] + bytes(8192) + content[16384:], "b.bmp")
    assert (zeroed.problem, zeroed.warning) == (None, None)


def test_a_hole_outside_the_pixels_is_none(tmp_path: Path) -> None:
    content = bmp(40, 24, noise(24)) + bytes(64 * 1024) + b"x"
    sparse(tmp_path / "a.bmp", content, len(content) - 32 * 1024, len(content) - 1)
    assert (look_at(tmp_path / "a.bmp").problem, look_at(tmp_path / "a.bmp").warning) == (None, None)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_one_colour_of_a_palette_is_a_picture(bits: int, tmp_path: Path) -> None:
    image = look(tmp_path, bmp(40, bits, bytes(len(noise(bits)))))
    assert image.problem is None
    assert image.warning == "all of its pixels have the first colour of its palette"


@pytest.mark.parametrize(
    ("header", "compression", "bits", "words"),
    [
        (64, 3, 1, "no browser shows it: a BMP with OS/2's Huffman code; save it as PNG"),
        (40, 4, 0, "no browser shows it: a BMP with a JPEG within it; save it as PNG"),
        (40, 5, 0, "no browser shows it: a BMP with a PNG within it; save it as PNG"),
        (40, 3, 24, "damaged: the BMP's header makes no sense; copy it again"),
        (40, 1, 4, "damaged: the BMP's header makes no sense; copy it again"),
        (40, 77, 24, "damaged: the BMP's header makes no sense; copy it again"),
        (40, 0, 3, "damaged: the BMP's header makes no sense; copy it again"),
    ],
)
def test_kinds_that_no_one_sees(header: int, compression: int, bits: int, words: str, tmp_path: Path) -> None:
    content = bmp(header, bits, noise(24), compression=compression, palette=b"")
    assert look(tmp_path, content).problem == words


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from([*CODED, "raw"]),
    fields=st.lists(
        st.tuples(st.sampled_from([2, 10, 14, 18, 22, 30, 34, 46]), st.integers(0, 2**32 - 1)), min_size=1, max_size=4
    ),
)
def test_headers_are_never_trusted(kind: str, fields: list[tuple[int, int]], tmp_path: Path) -> None:
    damaged = bytearray(bmp(40, 8, noise(8)) if kind == "raw" else run_length(kind))
    for at, value in fields:
        damaged[at : at + 4] = struct.pack("<I", value)
    image = look(tmp_path, bytes(damaged))
    assert image.problem is None or image.problem.isprintable()
