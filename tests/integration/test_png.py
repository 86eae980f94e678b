"""PNG is whole by proof: each byte up to its end is the one that was written, and no good one is refused."""

from __future__ import annotations

import io
import itertools
import os
import random
import struct
import subprocess
import zlib
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import PngImagePlugin

from tests import exif
from tests.examined import look, look_at
from tests.pngs import KINDS, MAGIC, SAMPLES, chunk, filtered, header, png, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

many = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

WIDTH, HEIGHT = 420, 330  # in colours more than is read at once, twice over


def saved(picture: Pillow.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", **options)
    return file.getvalue()


@cache
def noise(mode: str = "RGB") -> Pillow.Image:
    if mode == "I;16":
        return Pillow.frombytes(mode, (WIDTH, HEIGHT), random.Random(2).randbytes(2 * WIDTH * HEIGHT))
    picture = Pillow.frombytes("RGB", (WIDTH, HEIGHT), random.Random(1).randbytes(3 * WIDTH * HEIGHT))
    return picture.convert(mode)


def of_mode(mode: str) -> bytes:
    return saved(noise(mode))


def described() -> bytes:
    said = PngImagePlugin.PngInfo()
    said.add_text("Comment", "a camera", zip=True)
    said.add_itxt("Title", "Straße")
    return saved(
        noise(), pnginfo=said, dpi=(300, 300), icc_profile=b"profile" * 99, exif=exif.exif("2024:01:31 12:00:05")
    )


def packed() -> bytes:
    rows = [noise().crop((0, y, WIDTH, y + 1)).tobytes() for y in range(HEIGHT)]
    return zlib.compress(b"".join(b"\0" + row for row in rows))


GOOD: dict[str, Callable[[], bytes]] = {
    **{f"pillow {mode}": partial(of_mode, mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")},
    "pillow, described": described,
    "pillow, 2 bits": lambda: saved(noise("P").quantize(4), bits=2, transparency=1),
    "pillow, animated": lambda: saved(noise(), save_all=True, append_images=[noise("L").convert("RGB")]),
    "one part": lambda: png(header(WIDTH, HEIGHT), packed()),
    "parts of 8 KiB": lambda: png(header(WIDTH, HEIGHT), packed(), size=8192, behind=chunk(b"tIME", bytes(7))),
    "parts of 100 bytes": lambda: png(header(WIDTH, HEIGHT), packed(), size=100, before=chunk(b"prVt", b"mine")),
}


kinds, places = st.sampled_from([*GOOD]), st.integers(0, 1 << 40)


@cache
def content(kind: str) -> bytes:
    return GOOD[kind]()


def end_of(whole: bytes) -> int:
    return whole.rindex(b"IEND") + 8


def decodes(whole: bytes) -> bool:
    with Pillow.open(io.BytesIO(whole)) as picture:
        picture.load()
    return True


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_one_passes(kind: str, tmp_path: Path) -> None:
    assert decodes(content(kind))
    for whole in (content(kind), content(kind) + b"a preview" * 50_000):
        image = look(tmp_path, whole)
        assert (image.problem, image.pixels) == (None, (WIDTH, HEIGHT))


@pytest.mark.parametrize(("colour", "depth"), KINDS)
@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("size", [1, 4096, 1 << 30])
def test_every_kind_of_the_specification_passes(
    colour: int, depth: int, interlaced: bool, size: int, tmp_path: Path
) -> None:
    made = random.Random(colour + depth)
    rows = rows_of(37, 29, depth * SAMPLES[colour], interlaced=interlaced)
    data = zlib.compress(b"".join(bytes([made.randrange(5)]) + made.randbytes(row) for row in rows))
    palette = chunk(b"PLTE", bytes(3 << depth)) if colour == 3 else b""
    whole = png(header(37, 29, depth, colour, 0, 0, int(interlaced)), data, size=size, before=palette)
    assert decodes(whole)
    image = look(tmp_path, whole)
    assert (image.problem, image.warning, image.pixels) == (None, None, (37, 29))


@many
@given(kind=kinds, place=places, bit=st.integers(0, 7))
def test_every_flipped_bit_is_found(kind: str, place: int, bit: int, tmp_path: Path) -> None:
    flipped = bytearray(content(kind))
    flipped[place % end_of(content(kind))] ^= 1 << bit
    assert look(tmp_path, bytes(flipped)).problem is not None


def test_every_flipped_bit_of_chunks_that_no_pixel_needs_is_found(tmp_path: Path) -> None:
    before = animation(2) + chunk(b"eXIf", turned(6)) + chunk(b"tEXt", b"Comment\0hello")
    small = bytearray(png(header(5, 5), b"some", before=before, behind=chunk(b"prVt", b"mine")))
    assert look(tmp_path, bytes(small)).problem is None
    for place, bit in itertools.product(range(len(small)), range(8)):
        small[place] ^= 1 << bit
        assert look(tmp_path, bytes(small)).problem is not None, (place, bit)
        small[place] ^= 1 << bit


@many
@given(kind=kinds, place=places, size=st.integers(4096, 1 << 20), filling=st.sampled_from([0, 0xFF]))
def test_every_hole_is_found(kind: str, place: int, size: int, filling: int, tmp_path: Path) -> None:
    whole = content(kind)
    start = place % end_of(whole)
    end = min(start + size, end_of(whole))
    holed = whole[:start] + bytes([filling]) * (end - start) + whole[end:]
    assume(holed != whole)
    assert look(tmp_path, holed).problem is not None


@many
@given(kind=kinds, one=places, other=places, size=st.integers(1, 1 << 17))
def test_two_parts_that_changed_places_are_found(kind: str, one: int, other: int, size: int, tmp_path: Path) -> None:
    whole = content(kind)
    size = min(size, end_of(whole) // 2)
    first, second = sorted(place % (end_of(whole) - size) for place in (one, other))
    assume(first + size <= second)
    one_part, other_part = whole[first : first + size], whole[second : second + size]
    assume(one_part != other_part)
    swapped = whole[:first] + other_part + whole[first + size : second] + one_part + whole[second + size :]
    assert look(tmp_path, swapped).problem is not None


@many
@given(kind=kinds, place=places, zeros=st.booleans())
def test_every_cut_and_every_tail_of_zeros_is_found(kind: str, place: int, zeros: bool, tmp_path: Path) -> None:
    whole = content(kind)
    kept = len(MAGIC) + place % (end_of(whole) - len(MAGIC))
    cut = whole[:kept] + bytes(len(whole) - kept if zeros else 0)
    assume(cut != whole)
    problem = str(look(tmp_path, cut).problem)
    assert problem.startswith(("cut short: ", "damaged: ") if 0 < len(cut) - kept < 4 else "cut short: ")


@many
@given(
    chunks=st.lists(
        st.tuples(
            st.sampled_from([b"IHDR", b"PLTE", b"IDAT", b"IEND", b"acTL", b"eXIf", b"tEXt", b"XXXX"]),
            st.binary(max_size=40),
        ),
        max_size=9,
    ),
    head=st.binary(min_size=13, max_size=13),
)
def test_any_chunks_with_right_checksums(chunks: list[tuple[bytes, bytes]], head: bytes, tmp_path: Path) -> None:
    for first in (chunk(b"IHDR", head), header(5, 5, 16, 2)):
        image = look(tmp_path, MAGIC + first + b"".join(itertools.starmap(chunk, chunks)))
        assert image.problem is None or image.problem.isprintable()


@pytest.mark.parametrize("border", [256 * 1024, 384 * 1024])
def test_chunks_are_proved_across_what_is_read_at_once(border: int, tmp_path: Path) -> None:
    head, rest = header(WIDTH, HEIGHT), random.Random(3).randbytes(200_000)
    for size in range(border - 50, border - 10):  # where the first picture data begins
        before = chunk(b"prVt", bytes(size - 33 - 12))
        whole = png(head, rest, size=20, before=before)
        assert look(tmp_path, whole).problem is None
        for place in range(border - 1, border + 2):
            flipped = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
            assert look(tmp_path, flipped).problem is not None


@pytest.mark.parametrize("kind", [b"IDAT", b"prVt"])
def test_hundreds_of_thousands_of_empty_chunks_end_soon(kind: bytes, tmp_path: Path) -> None:
    whole = png(header(5, 5), b"some", behind=chunk(kind) * 250_000)
    assert look(tmp_path, whole).problem == "damaged: more than 200,000 chunks; save it again"


# Where and what


def test_the_place_of_the_damage_is_told(tmp_path: Path) -> None:
    whole = content("parts of 8 KiB")
    at = 33 + 5 * (8192 + 12)
    damaged = whole[: at + 100] + b"x" + whole[at + 101 :]
    assert look(tmp_path, damaged).problem == (
        f"damaged: the PNG's chunk IDAT, bytes {at:,} to {at + 8203:,}, differs from its checksum (CRC); copy it again"
    )


def test_a_chunk_that_no_pixel_needs_may_be_wrong_from_the_start(tmp_path: Path) -> None:
    wrong = chunk(b"tEXt", b"Comment\0hello")[:-4] + bytes(4)
    problem = str(look(tmp_path, png(header(WIDTH, HEIGHT), packed(), before=wrong)).problem)
    assert problem.startswith("damaged: the PNG's chunk tEXt, bytes 33 to 57, differs from its checksum (CRC); ")
    assert problem.endswith("; copy it again, or save it anew if the copy is the same")


@pytest.mark.parametrize(
    "head",
    [
        (0, 5), (5, 0), (2**31, 5), (5, 2**31), (5, 5, 99), (5, 5, 0), (5, 5, 4, 2), (5, 5, 16, 3), (5, 5, 1, 6),
        (5, 5, 8, 1), (5, 5, 8, 5), (5, 5, 8, 7), (5, 5, 8, 2, 1, 0, 0), (5, 5, 8, 2, 0, 1, 0), (5, 5, 8, 2, 0, 0, 2),
    ],
)  # fmt: skip
def test_a_header_that_cannot_be(head: tuple[int, ...], tmp_path: Path) -> None:
    problem = str(look(tmp_path, png(header(*head), zlib.compress(bytes(80)))).problem)
    assert problem.startswith(f"damaged: the PNG's header (IHDR) says what cannot be: {head[0]} x {head[1]} pixels, ")
    assert problem.endswith("; save it anew")


PALETTE = chunk(b"PLTE", bytes(6))
PART = chunk(b"IDAT", b"part")


@pytest.mark.parametrize(
    ("chunks", "says"),
    [
        (header(5, 5, 8, 3) + PART, "has no palette"),
        (header(5, 5, 8, 3) + PART + PALETTE, "has no palette"),
        (header(5, 5, 8, 3) + chunk(b"PLTE", bytes(5)) + PART, "has no palette"),
        (header(5, 5, 8, 3) + chunk(b"PLTE") + PART, "has no palette"),
        (header(5, 5) + PART + chunk(b"tEXt") + PART, "is interrupted before byte 61; save it anew"),
        (header(5, 5) + chunk(b"XYzW") + PART, "browsers do not know its chunk XYzW; export it"),
        (header(5, 5), "holds no picture data"),
        (header(5, 5) + chunk(b"IDAT"), "holds no picture data"),
        (header(5, 5) + header(5, 5) + PART, "chunk at byte 33 is none"),
        (chunk(b"tEXt") + header(5, 5) + PART, "chunk at byte 8 is none"),
        (chunk(b"IHDR", bytes(14)) + PART, "chunk at byte 8 is none"),
        (header(5, 5, 16) + PART, "cannot be unpacked; save it anew"),
    ],
)
def test_chunks_that_make_no_picture(chunks: bytes, says: str, tmp_path: Path) -> None:
    assert says in str(look(tmp_path, MAGIC + chunks + chunk(b"IEND")).problem)


# Holes that the file system shows


def has_hole(path: Path) -> bool:
    with path.open("rb") as file:
        return os.lseek(file.fileno(), 0, os.SEEK_HOLE) < path.stat().st_size


def black() -> bytes:
    return saved(Pillow.new("L", (800, 600)), compress_level=0)


def test_a_good_one_that_was_copied_with_holes_passes(tmp_path: Path) -> None:
    whole, sparse = tmp_path / "whole.png", tmp_path / "sparse.png"
    whole.write_bytes(black())
    subprocess.run(["cp", "--sparse=always", whole, sparse], check=True)
    if not has_hole(sparse):
        pytest.skip("this file system shows no holes")
    assert look_at(sparse) == look_at(whole)
    assert look_at(sparse).problem is None


@pytest.mark.parametrize("kind", ["one part", "parts of 8 KiB", "pillow RGB"])
def test_what_a_downloader_never_wrote_is_found(kind: str, tmp_path: Path) -> None:
    whole, path = content(kind), tmp_path / "a.png"
    with path.open("wb") as file:
        file.write(whole[:65_536])
        file.seek(131_072)
        file.write(whole[131_072:])
    problem = str(look_at(path).problem)
    assert problem.startswith("damaged: the PNG's chunk IDAT, ")
    if has_hole(path):
        assert "; bytes 65,536 to " in problem
        assert " are a hole, as if never written; copy it again" in problem


# How it is turned, and what is odd about it


def turned(orientation: int) -> bytes:
    entry = (0x0112, 3, 1, struct.pack(">H", orientation))
    return b"MM\0*" + struct.pack(">L", 8) + exif.directory(">", 8, [entry])


@pytest.mark.parametrize(
    ("before", "behind", "seen"),
    [
        (turned(6), None, 6),
        (turned(8), turned(6), 8),
        (None, turned(6), 1),
        (b"Exif\0\0" + turned(6), None, 1),
        (turned(9), None, 1),
        (b"MM", None, 1),
    ],
)
def test_browsers_turn_it_by_exif_before_the_picture(
    before: bytes | None, behind: bytes | None, seen: int, tmp_path: Path
) -> None:
    first, last = (b"" if part is None else chunk(b"eXIf", part) for part in (before, behind))
    image = look(tmp_path, png(header(WIDTH, HEIGHT), packed(), before=first, behind=last))
    assert (image.problem, image.orientation) == (None, seen)


def animation(frames: int) -> bytes:
    return chunk(b"acTL", struct.pack(">II", frames, 0))


@pytest.mark.parametrize(
    ("before", "behind", "warns"),
    [(animation(3), b"", True), (animation(1), b"", False), (b"", animation(3), False)],
)
def test_an_animation_is_told(before: bytes, behind: bytes, warns: bool, tmp_path: Path) -> None:
    image = look(tmp_path, png(header(WIDTH, HEIGHT), packed(), before=before, behind=behind))
    assert image.problem is None
    told = "it holds 3 pictures (an animated PNG): annotators may see the first alone, or all in turn"
    assert image.warning == (told if warns else None)


# 12 bits in 16

DARK = "all or nearly all of its values need at most 12 of their 16 bits: annotators see it nearly black"


def deep(made: random.Random, colour: int, most: int, *, side: int = 24) -> list[list[int]]:
    """Return rows of values up to `most`, and any alpha."""
    alpha = SAMPLES[colour] if colour in (4, 6) else 0
    return [
        [
            made.randrange(65_536 if alpha and at % alpha == alpha - 1 else most + 1)
            for at in range(side * SAMPLES[colour])
        ]
        for _ in range(side)
    ]


def deep_png(rows: list[list[int]], colour: int, filters: list[int], size: int = 1 << 30) -> bytes:
    lines = [struct.pack(f">{len(row)}H", *row) for row in rows]
    data = filtered(lines, 2 * SAMPLES[colour], itertools.cycle(filters))
    return png(header(len(rows[0]) // SAMPLES[colour], len(rows), 16, colour), zlib.compress(data), size=size)


deep_kinds = st.sampled_from([0, 2, 4, 6])
some_filters = st.lists(st.integers(0, 4), min_size=1, max_size=24)


@many
@given(
    seed=st.integers(0, 999),
    colour=deep_kinds,
    filters=some_filters,
    most=st.integers(1, 4095),
    size=st.sampled_from([1, 50, 1 << 30]),
)
def test_12_bits_in_16_are_told(
    seed: int, colour: int, filters: list[int], most: int, size: int, tmp_path: Path
) -> None:
    whole = deep_png(deep(random.Random(seed), colour, most), colour, filters, size)
    assert decodes(whole)
    image = look(tmp_path, whole)
    assert image.problem is None
    assert str(image.warning).startswith(DARK)


@many
@given(
    seed=st.integers(0, 999),
    colour=deep_kinds,
    filters=some_filters,
    bright=st.integers(0x2000, 0xDFFF),
    place=st.integers(0, 24 * 24 - 1),
)
def test_one_bright_value_is_enough(
    seed: int, colour: int, filters: list[int], bright: int, place: int, tmp_path: Path
) -> None:
    rows = deep(random.Random(seed), colour, 4095)
    rows[place // 24][place % 24 * SAMPLES[colour]] = bright
    assert look(tmp_path, deep_png(rows, colour, filters)).warning is None


@pytest.mark.parametrize("filters", [[0], [1], [2], [3], [4], [0, 1, 2, 3, 4]])
@pytest.mark.parametrize(
    "value",
    [
        lambda x, _: x * 65_535 // 99,
        lambda _, y: y * 65_535 // 99,
        lambda x, y: 65_535 - (x + y) * 300,
        lambda x, y: 65_535 if (x // 20 + y // 20) % 2 else 0,
        lambda x, _: 0 if x < 20 else 9000 + x,
        lambda *_: 0,
        lambda *_: 0x0303,
    ],
    ids=["from left", "from above", "to the corner", "mask", "unknown at the left", "black", "was of 8 bits"],
)
def test_what_shows_as_it_is_meant_is_not_warned_of(
    value: Callable[[int, int], int], filters: list[int], tmp_path: Path
) -> None:
    rows = [[value(x, y) for x in range(100)] for y in range(100)]
    assert look(tmp_path, deep_png(rows, 0, filters)).warning is None


def test_interlaced_ones_and_those_of_8_bits_are_not_looked_at(tmp_path: Path) -> None:
    dark = zlib.compress(bytes(40) + b"\1" * 4000)
    for head in (header(16, 16, 16, 0, 0, 0, 1), header(16, 16, 8, 0)):
        assert look(tmp_path, png(head, dark)).warning is None


def test_little_is_looked_at_of_a_large_one(tmp_path: Path) -> None:
    bomb = zlib.compressobj()
    row = b"\0" + struct.pack(">H", 4000) * 1000
    dark = b"".join(bomb.compress(row * 1000) for _ in range(10)) + bomb.flush()
    assert str(look(tmp_path, png(header(1000, 10_000, 16, 0), dark)).warning).startswith(DARK)
    assert look(tmp_path, png(header(200_000, 50, 16, 0), dark)).warning is None
    late = zlib.compress(b"\0\0\1" * 5000 + b"\0\xff\xff" * 5000)
    assert str(look(tmp_path, png(header(1, 10_000, 16, 0), late)).warning).startswith(DARK)


@many
@given(
    width=st.integers(1, 9),
    colour=deep_kinds,
    rows=st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=80)), max_size=20),
    kept=st.integers(0, 100),
    size=st.integers(1, 300),
)
def test_any_rows_of_16_bits(
    width: int, colour: int, rows: list[tuple[int, bytes]], kept: int, size: int, tmp_path: Path
) -> None:
    data = zlib.compress(b"".join(bytes([kind]) + row for kind, row in rows))
    image = look(tmp_path, png(header(width, len(rows) + 1, 16, colour), data[:kept], size=size))
    assert image.problem is None or "no picture data" in image.problem
