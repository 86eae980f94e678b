"""Whole images pass, cut and emptied ones do not: on real files, made with Pillow."""

from __future__ import annotations

import hashlib
import io
import os
import random
import struct
import threading
import zlib
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageDraw

from agent.core.image_rules import ImageRules
from agent.errors import FileChanged
from agent.model import Stamp
from agent.reading.check import examine
from tests import exif
from tests.examined import look
from tests.pictures.scenes import grainy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


WIDTH, HEIGHT = 400, 320


def scene(mode: str = "RGB") -> Pillow.Image:
    return grainy((WIDTH, HEIGHT), mode)


def deep() -> Pillow.Image:
    return Pillow.frombytes("I;16", (WIDTH, HEIGHT), random.Random(2).randbytes(2 * WIDTH * HEIGHT))


def saved(picture: Pillow.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def jpeg(mode: str = "RGB", **options: Any) -> bytes:
    return saved(scene(mode), "JPEG", **options)


def with_thumbnail() -> bytes:
    small = saved(scene().resize((80, 64)), "JPEG")
    exif = b"Exif\0\0" + small
    return b"\xff\xd8\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg()[2:]


def bmp_top_down() -> bytes:
    rows = scene().tobytes("raw", "BGR")
    head = struct.pack("<IiiHHIIiiII", 40, WIDTH, -HEIGHT, 1, 24, 0, len(rows), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(rows), 0, 0, 54) + head + rows


def bmp_rle() -> bytes:
    row = b"".join(bytes((2, value)) for value in random.Random(3).choices(range(1, 256), k=WIDTH // 2)) + b"\0\0"
    rows = row * HEIGHT + b"\0\1"
    palette = b"".join(bytes((value, 255 - value, value, 0)) for value in range(256))
    start = 54 + len(palette)
    head = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, 8, 1, len(rows), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + head + palette + rows


def tiff(order: str, pixels: bytes, *, tile: int = 0, big: bool = False) -> bytes:
    """An 8-bit uncompressed TIFF, its directory first: what Pillow cannot write (byte order, tiles, BigTIFF)."""
    where = (322, tile), (323, tile), (324, 0), (325, 0)
    tags = [(256, WIDTH), (257, HEIGHT), (258, 8), (259, 1), (262, 1), (277, 1)]
    strips = where if tile else ((273, 0), (278, HEIGHT), (279, 0))
    size = tile * tile if tile else len(pixels)
    count = len(pixels) // size
    pointer, entry, start = ("Q", 20, 16) if big else ("I", 12, 8)
    tags = sorted(tags + list(strips))
    directory = start + (8 if big else 2) + len(tags) * entry + (8 if big else 4)
    data = directory + 2 * 4 * count
    mark = b"II" if order == "<" else b"MM"
    head = mark + (struct.pack(order + "HHHQ", 43, 8, 0, 16) if big else struct.pack(order + "HI", 42, 8))
    out = head + struct.pack(order + ("Q" if big else "H"), len(tags))
    inline = count * 4 <= (8 if big else 4)
    for tag, value in tags:
        held = {273: data, 324: data, 279: size, 325: size}.get(tag, value)
        place = directory + (4 * count if tag in (325, 279) else 0)
        many = count if tag in (273, 324, 279, 325) else 1
        out += struct.pack(order + "HH" + pointer, tag, 4, many)
        stored = struct.pack(order + "I", held) if many == 1 or inline else struct.pack(order + pointer, place)
        out += stored.ljust(8 if big else 4, b"\0")
    out += bytes(8 if big else 4)
    offsets = struct.pack(f"{order}{count}I", *(data + size * at for at in range(count)))
    return out + offsets + struct.pack(f"{order}{count}I", *[size] * count) + pixels


def tiles(side: int = 80) -> bytes:
    """The scene as tiles."""
    picture = scene("L")
    return b"".join(
        picture.crop((left, top, left + side, top + side)).tobytes()
        for top in range(0, HEIGHT, side)
        for left in range(0, WIDTH, side)
    )


def frames() -> list[Pillow.Image]:
    return [scene().transpose(turn) for turn in (Pillow.Transpose.FLIP_LEFT_RIGHT, Pillow.Transpose.FLIP_TOP_BOTTOM)]


GOOD: dict[str, tuple[str, Callable[[], bytes]]] = {
    "jpeg-baseline": ("JPEG", jpeg),
    "jpeg-progressive": ("JPEG", lambda: jpeg(progressive=True, quality=90)),
    "jpeg-optimized": ("JPEG", lambda: jpeg(optimize=True, quality=20)),
    "jpeg-cmyk": ("JPEG", lambda: jpeg("CMYK")),
    "jpeg-grayscale": ("JPEG", lambda: jpeg("L")),
    "jpeg-restarts": ("JPEG", lambda: jpeg(restart_marker_blocks=2)),
    "jpeg-thumbnail": ("JPEG", with_thumbnail),
    "jpeg-noise-444": ("JPEG", lambda: jpeg(quality=100, subsampling=0)),
    "png-rgb": ("PNG", lambda: saved(scene(), "PNG")),
    "png-rgba": ("PNG", lambda: saved(scene("RGBA"), "PNG")),
    "png-palette": ("PNG", lambda: saved(scene("P"), "PNG")),
    "png-16-bit": ("PNG", lambda: saved(deep(), "PNG")),
    "png-animated": ("PNG", lambda: saved(scene(), "PNG", save_all=True, append_images=frames())),
    "webp-lossy": ("WebP", lambda: saved(scene(), "WEBP")),
    "webp-lossless": ("WebP", lambda: saved(scene(), "WEBP", lossless=True, method=0)),
    "webp-extended": ("WebP", lambda: saved(scene(), "WEBP", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0")),
    "webp-alpha": ("WebP", lambda: saved(scene("RGBA"), "WEBP")),
    "webp-animated": ("WebP", lambda: saved(scene(), "WEBP", save_all=True, append_images=frames())),
    "tiff-raw": ("TIFF", lambda: saved(scene(), "TIFF")),
    "tiff-lzw": ("TIFF", lambda: saved(scene(), "TIFF", compression="tiff_lzw")),
    "tiff-deflate": ("TIFF", lambda: saved(scene(), "TIFF", compression="tiff_adobe_deflate")),
    "tiff-jpeg": ("TIFF", lambda: saved(scene(), "TIFF", compression="jpeg")),
    "tiff-16-bit": ("TIFF", lambda: saved(deep(), "TIFF")),
    "tiff-pages": ("TIFF", lambda: saved(scene(), "TIFF", save_all=True, append_images=frames())),
    "tiff-big-endian": ("TIFF", lambda: tiff(">", scene("L").tobytes())),
    "tiff-bigtiff": ("TIFF", lambda: tiff("<", scene("L").tobytes(), big=True)),
    "tiff-tiles": ("TIFF", lambda: tiff("<", tiles(), tile=80)),
    "bmp-bottom-up": ("BMP", lambda: saved(scene(), "BMP")),
    "bmp-top-down": ("BMP", bmp_top_down),
    "bmp-padded-rows": ("BMP", lambda: saved(scene().resize((399, 320)), "BMP")),
    "bmp-32-bit": ("BMP", lambda: saved(scene("RGBA"), "BMP")),
    "bmp-palette": ("BMP", lambda: saved(scene("P"), "BMP")),
    "bmp-rle": ("BMP", bmp_rle),
}
WARNED = {
    "png-animated": "it holds 3 pictures (an animated PNG): annotators may see the first alone, or all in turn",
    "tiff-pages": "it holds 3 pictures (pages): most programs show the first alone",
    "webp-animated": "it holds 3 pictures (an animated WebP): annotators may see the first alone, or all in turn",
}
every_good = pytest.mark.parametrize("kind", GOOD)


@cache
def content(kind: str) -> bytes:
    return GOOD[kind][1]()


def decodes(content: bytes) -> bool:
    try:
        with Pillow.open(io.BytesIO(content)) as picture:
            picture.load()
    except OSError:
        return False
    return True


@every_good
def test_a_whole_image_passes(kind: str, tmp_path: Path) -> None:
    assert decodes(content(kind)), "the test's own image must be good"
    image = look(tmp_path, content(kind))
    assert (image.problem, image.warning) == (None, WARNED.get(kind))
    assert image.format == GOOD[kind][0]
    assert image.pixels == ((399 if kind == "bmp-padded-rows" else WIDTH), HEIGHT)
    assert image.digest == hashlib.sha256(content(kind)).hexdigest()


@every_good
@pytest.mark.parametrize("tail", [b"\0", bytes(300_000), b"\xff\xd8\xff\xe0 a preview \xff", b"video" * 100_000])
def test_bytes_after_the_end_are_fine(kind: str, tail: bytes, tmp_path: Path) -> None:
    assert look(tmp_path, content(kind) + tail).problem is None


@every_good
@pytest.mark.parametrize("share", [1, 50, 99])
def test_a_cut_file_is_told(kind: str, share: int, tmp_path: Path) -> None:
    whole = content(kind)
    image = look(tmp_path, whole[: len(whole) * share // 100])
    assert image.problem is not None
    assert image.problem.startswith("cut short: ") or "cannot be decoded" in image.problem


@every_good
@pytest.mark.parametrize("share", [1, 50, 99])
def test_a_tail_of_zeros_is_told(kind: str, share: int, tmp_path: Path) -> None:
    whole = content(kind)
    kept = len(whole) * share // 100
    if (kind, share) == ("tiff-tiles", 99):
        kept -= 20  # 99 % is the very end of a tile's row, where a cut looks like a border
    image = look(tmp_path, whole[:kept] + bytes(len(whole) - kept))
    assert image.problem is not None
    assert image.problem.startswith(("cut short: ", "damaged: ", "doubtful: "))


@pytest.mark.parametrize("kind", ["bmp-bottom-up", "bmp-32-bit", "tiff-raw", "tiff-big-endian", "tiff-16-bit"])
def test_nearly_every_place_of_a_cut_is_found_in_raw_pixels(kind: str, tmp_path: Path) -> None:
    whole = content(kind)
    places = [len(whole) * step // 401 for step in range(4, 392)]
    found = sum(look(tmp_path, whole[:at] + bytes(len(whole) - at)).problem is not None for at in places)
    assert found >= 0.9 * len(places)


def border(box: tuple[int, int, int, int]) -> Pillow.Image:
    picture = scene().copy()
    picture.paste((0, 0, 0), box)
    return picture


def ringing(picture: Pillow.Image) -> Pillow.Image:
    """As it comes out of a camera's own JPEG coding: the edges of black are uneven."""
    with Pillow.open(io.BytesIO(saved(picture, "JPEG", quality=70))) as coded:
        return coded.convert("RGB")


def fisheye() -> Pillow.Image:
    circle = Pillow.new("L", (WIDTH, HEIGHT))
    ImageDraw.Draw(circle).ellipse((50, 10, 350, 310), fill=255)
    return Pillow.composite(scene(), Pillow.new("RGB", (WIDTH, HEIGHT)), circle)


def registers(*, last: bool) -> Pillow.Image:
    """Two lines of camera registers, ended by zeros, at an edge."""
    picture = scene().copy()
    for line in (HEIGHT - 2, HEIGHT - 1) if last else (0, 1):
        picture.paste((0, 0, 0), (100, line, WIDTH, line + 1))
    return picture


def mask() -> Pillow.Image:
    picture = Pillow.new("RGB", (WIDTH, HEIGHT))
    ImageDraw.Draw(picture).polygon([(100, 100), (220, 90), (300, 200), (90, 180)], fill=(0, 0, 255))
    return picture


DARK: dict[str, Callable[[], Pillow.Image]] = {
    "border-above": lambda: border((0, 0, WIDTH, 60)),
    "border-below": lambda: border((0, 260, WIDTH, HEIGHT)),
    "border-right": lambda: border((300, 0, WIDTH, HEIGHT)),
    "corner-above": lambda: border((250, 0, WIDTH, 20)),
    "corner-below": lambda: border((250, 300, WIDTH, HEIGHT)),
    "half-black": lambda: border((0, 0, WIDTH, HEIGHT // 2)),
    "border-with-ringing": lambda: ringing(border((0, 0, WIDTH, 61))),
    "border-below-with-ringing": lambda: ringing(border((0, 259, WIDTH, HEIGHT))),
    "fisheye": fisheye,
    "night": lambda: scene().point(lambda value: max(0, value - 110)),
    "stars": lambda: scene().point(lambda value: 255 if value > 135 else 0),
    "rotated": lambda: scene().rotate(3),
    "slightly-rotated": lambda: scene().rotate(0.2),
    "registers-first": lambda: registers(last=False),
    "registers-last": lambda: registers(last=True),
    "mask": mask,
    "white": lambda: Pillow.new("RGB", (WIDTH, HEIGHT), (255, 255, 255)),
}
FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "jpeg": ("JPEG", {"optimize": True}),
    "png": ("PNG", {}),
    "webp-fast": ("WEBP", {"method": 0, "quality": 95}),
    "webp": ("WEBP", {}),
    "webp-lossless-fast": ("WEBP", {"lossless": True, "method": 0, "quality": 50}),
    "bmp": ("BMP", {}),
    "tiff": ("TIFF", {}),
    "tiff-lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "tiff-deflate": ("TIFF", {"compression": "tiff_adobe_deflate"}),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("picture", DARK)
def test_black_that_belongs_there_is_not_refused(picture: str, form: str, tmp_path: Path) -> None:
    kind, options = FORMS[form]
    assert look(tmp_path, saved(DARK[picture](), kind, **options)).problem is None


@pytest.mark.parametrize("form", FORMS)
def test_all_black_passes_but_in_raw_pixels(form: str, tmp_path: Path) -> None:
    kind, options = FORMS[form]
    image = look(tmp_path, saved(Pillow.new("RGB", (WIDTH, HEIGHT)), kind, **options))
    if form in ("bmp", "tiff"):
        assert image.problem is not None
        assert image.problem.endswith("(if the picture truly ends in black, save it as PNG)")
    else:
        assert image.problem is None


def test_a_hole_from_the_end_of_a_row_on_is_warned_of(tmp_path: Path) -> None:
    whole = content("bmp-bottom-up")
    path = tmp_path / "a.bmp"
    path.write_bytes(whole[: 54 + 1200 * 160])
    os.truncate(path, len(whole))
    fd = os.open(path, os.O_RDONLY)
    try:
        if os.lseek(fd, 0, os.SEEK_HOLE) == len(whole):
            pytest.skip("this file system shows no holes")
        image = examine(fd, "a.bmp", Stamp.of(os.fstat(fd)))
    finally:
        os.close(fd)
    assert image.problem is None, "cp --sparse=always makes such a hole of a black border"
    assert image.warning is not None
    assert "are a hole in the file and read as zeros" in image.warning
    image = look(tmp_path, whole[: 54 + 1200 * 160] + bytes(1200 * 160))
    assert (image.problem, image.warning) == (None, None), "a black border looks like this"


def test_an_empty_file(tmp_path: Path) -> None:
    image = look(tmp_path, b"", "a.jpg")
    assert image.problem == "empty file: 0 bytes; copy it again"
    assert image.digest == hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"hello, this is no image at all\n", r"it begins like text (b'hello, t')"),
        (b"BMW sales of the year 2020, by month", "it begins like text"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n", "it begins like PostScript"),
        (b"%PDF-1.7\n" + bytes(50), "it begins like a PDF"),
        (b"<!DOCTYPE html><html>404" + bytes(50), "where it was fetched from, there was no picture"),
        (b"\0\0\0\x18ftypmp42" + bytes(50), "it begins like a video"),
        (b"\x1b[31mred\x1b[0m" + bytes(50), r"b'\x1b[31mred'"),
    ],
)
def test_what_is_no_image_of_ours(content: bytes, says: str, tmp_path: Path) -> None:
    image = look(tmp_path, content, "a.jpg")
    assert image.format is None
    assert image.problem is not None
    assert image.problem.startswith("not an image: ")
    assert says in image.problem
    assert image.problem.endswith("; allowed are JPEG, PNG, WebP and BMP")
    assert image.problem.isprintable()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\0\0\0\x18ftypheic" + bytes(50), "it is a HEIC picture, which is not taken: browsers do not show it"),
        (b"\xff\x0a" + bytes(50), "it is a JPEG XL picture"),
        (saved(scene(), "JPEG2000"), "it is a JPEG 2000 picture"),
        (saved(scene("L"), "PPM"), "it is a PGM"),
        (saved(scene(), "PPM"), "it is a PPM"),
        (saved(scene(), "PNG")[:8] + chunk(b"CgBI", b"P\0 \6") + saved(scene(), "PNG")[8:], "(CgBI)"),
        (saved(scene(), "TIFF", tiffinfo={50706: b"\1\4\0\0"}), "it is a DNG"),
        (jpeg().replace(b"\xff\xc0\0\x11\x08", b"\xff\xc3\0\x11\x08"), "it is a lossless JPEG (SOF3)"),
        (jpeg().replace(b"\xff\xc0\0\x11\x08", b"\xff\xc1\0\x11\x0c"), "it is a JPEG of 12 bits a sample"),
        (jpeg().replace(b"\xff\xc0\0\x11\x08", b"\xff\xf7\0\x11\x08"), "it is a JPEG-LS (SOF55)"),
    ],
)
@pytest.mark.parametrize("start", [b"", b"garbage"])
def test_a_kind_that_is_not_taken_is_called_by_its_name(
    content: bytes, says: str, start: bytes, tmp_path: Path
) -> None:
    if start and content.startswith(b"\xff\xd8"):
        content = content[:20] + start + content[20:]
    problem = look(tmp_path, content, "a.jpg").problem
    assert problem is not None
    assert says in problem
    assert "copy it again" not in problem


def test_how_large_a_picture_may_be_is_a_setting(tmp_path: Path) -> None:
    small, usual = ImageRules(most_pixels=WIDTH * HEIGHT - 1), ImageRules(most_pixels=WIDTH * HEIGHT)
    assert look(tmp_path, content("png-rgb"), rules=usual).problem is None
    assert look(tmp_path, content("png-rgb"), rules=small).problem == (
        "too large: 400 x 320 pixels, and IMAGE_MAX_PIXELS allows 127,999: raise it and 'retry', or export the picture "
        "smaller"
    )


def test_only_reserved_space(tmp_path: Path) -> None:
    problem = look(tmp_path, bytes(500_000), "a.jpg").problem
    assert problem is not None
    assert problem.startswith("cut short: it begins with zeros")


def test_another_extension_is_a_warning(tmp_path: Path) -> None:
    image = look(tmp_path, content("png-rgb"), "a.JPG")
    assert image.problem is None
    assert image.warning == "it is a PNG although its name ends in .jpg"
    assert look(tmp_path, content("tiff-raw"), "a.TIF").warning is None
    assert look(tmp_path, content("tiff-raw"), "a").warning is None


def test_the_end_marker_of_a_thumbnail_does_not_count(tmp_path: Path) -> None:
    whole = with_thumbnail()
    segment = 4 + int.from_bytes(whole[4:6])
    assert whole[:segment].endswith(b"\xff\xd9")
    assert "EOI" in str(look(tmp_path, whole[:segment]).problem)
    assert "EOI" in str(look(tmp_path, whole[:-2]).problem)


def test_every_cut_of_a_progressive_jpeg_is_told(tmp_path: Path) -> None:
    whole = content("jpeg-progressive")
    starts = [at for at in range(len(whole)) if whole.startswith(b"\xff\xda", at)]
    assert len(starts) > 5
    for start in starts:
        assert look(tmp_path, whole[:start]).problem is not None
        assert look(tmp_path, whole[:start] + bytes(len(whole) - start)).problem is not None


def test_markers_are_found_across_chunks(tmp_path: Path) -> None:
    whole = content("jpeg-baseline")
    for size in range(262_140, 262_148):
        padding = size - len(whole)
        padded = whole[:2]
        while padding > 0:
            part = min(padding, 60_000)
            part = part if padding - part == 0 or padding - part >= 4 else part - 8
            padded += b"\xff\xfe" + struct.pack(">H", part - 2) + b"x" * (part - 4)
            padding -= part
        assert look(tmp_path, padded + whole[2:] + b"after").problem is None


def test_garbage_between_segments_is_decoded(tmp_path: Path) -> None:
    whole = content("jpeg-baseline")
    table = whole.index(b"\xff\xdb")
    assert look(tmp_path, whole[:table] + b"garbage" + whole[table:]).problem is None
    frame = whole.index(b"\xff\xc0")
    image = look(tmp_path, whole[:table] + b"garbage" + whole[table:frame] + whole[-2:])
    assert image.problem is not None


def test_an_end_marker_without_enough_data(tmp_path: Path) -> None:
    whole = content("jpeg-baseline")
    scan = whole.index(b"\xff\xda") + 14
    problem = look(tmp_path, whole[: scan + 20] + b"\xff\xd9").problem
    assert problem is not None
    assert "cannot hold 400 x 320 pixels" in problem


def bombs() -> dict[str, bytes]:
    side = 60_000
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(side))) + chunk(b"IEND", b"")
    small = bytearray(content("jpeg-baseline"))
    frame = small.index(b"\xff\xc0")
    small[frame + 5 : frame + 9] = struct.pack(">HH", side, side)
    doubtful = small[:20] + b"garbage" + small[20:]
    webp = bytearray(content("webp-extended"))
    webp[24:30] = (side - 1).to_bytes(3, "little") * 2
    return {"png": png, "jpeg": bytes(small), "doubtful-jpeg": bytes(doubtful), "webp": bytes(webp)}


@pytest.mark.parametrize("kind", ["png", "jpeg", "doubtful-jpeg", "webp"])
def test_a_bomb_is_refused(kind: str, tmp_path: Path) -> None:
    image = look(tmp_path, bombs()[kind])
    assert image.problem is not None
    assert image.problem.startswith("too large: 60000 x 60000 pixels" if kind != "jpeg" else ("too large", "damaged: "))


def test_a_doubtful_one_between_the_limits_is_not_decoded(tmp_path: Path) -> None:
    small = bytearray(content("jpeg-baseline"))
    frame = small.index(b"\xff\xc0")
    small[frame + 5 : frame + 9] = struct.pack(">HH", 10_000, 10_000)
    image = look(tmp_path, bytes(small[:20] + b"garbage" + small[20:-2] + b"\x5a" * 200_000 + small[-2:]))
    assert "cannot be decoded (too large: 10000 x 10000 pixels)" in str(image.problem)


@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff"])
def test_millions_of_empty_parts_end_soon(kind: str, tmp_path: Path) -> None:
    parts = {
        "jpeg": b"\xff\xd8" + b"\xff\xfe\0\2" * 500_000,
        "png": content("png-rgb")[:33] + chunk(b"teXt", b"") * 500_000,
        "tiff": b"II*\0\x08\0\0\0" + b"".join(
            struct.pack("<HHHIII", 1, 256, 4, 1, 5, 8 + 18 * (at + 1)) for at in range(300_000)
        ),
    }  # fmt: skip
    assert look(tmp_path, parts[kind]).problem is not None


def test_a_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content("jpeg-baseline") + bytes(1_000_000))
    read = os.preadv

    def grows(fd: int, buffers: list[memoryview], offset: int) -> int:
        with path.open("ab") as file:
            file.write(b"more")
        return read(fd, buffers, offset)

    monkeypatch.setattr(os, "preadv", grows)  # what reads all but the first chunk
    fd = os.open(path, os.O_RDONLY)
    try:
        with pytest.raises(FileChanged, match=r"'a\.jpg' changed while it was read"):
            examine(fd, "a.jpg", Stamp.of(os.fstat(fd)))
    finally:
        os.close(fd)


def test_several_threads_at_once(tmp_path: Path) -> None:
    doubtful = content("jpeg-baseline")[:20] + b"garbage" + content("jpeg-baseline")[20:]
    problems: list[str | None] = []

    def work(number: int) -> None:
        problems.extend(look(tmp_path, doubtful, f"{number}-{turn}.jpg").problem for turn in range(10))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == [None] * 40


MAGIC = [content[:size] for content, size in (
    (b"\xff\xd8\xff", 3), (b"\xff\xd8\xff\xc0\0\x0b\x08\0\x10\0\x10\x01\x01\x11\0\xff\xda", 17),
    (b"\x89PNG\r\n\x1a\n", 8), (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16), (b"RIFF\x40\0\0\0WEBPVP8 ", 16),
    (b"RIFF\x40\0\0\0WEBPVP8X", 16), (b"RIFF\x40\0\0\0WEBPVP8L", 16), (b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", 18),
    (b"BM\0\0\0\0\0\0\0\0\x1a\0\0\0\x0c\0\0\0", 18), (b"II*\0\x08\0\0\0\x03\0", 10), (b"MM\0*\0\0\0\x08\0\x03", 10),
    (b"II+\0\x08\0\0\0", 8), (b"MM\0+\0\x08\0\0", 8),
)]  # fmt: skip


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(magic=st.sampled_from(MAGIC), rest=st.binary(max_size=400))
def test_random_bytes_behind_each_magic(magic: bytes, rest: bytes, tmp_path: Path) -> None:
    image = look(tmp_path, magic + rest)
    assert image.digest == hashlib.sha256(magic + rest).hexdigest()
    assert image.problem is None or image.problem.isprintable()


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(sorted(GOOD)),
    changes=st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), min_size=1, max_size=6),
    kept=st.integers(0, 100),
)
def test_damaged_heads(kind: str, changes: list[tuple[int, int]], kept: int, tmp_path: Path) -> None:
    damaged = bytearray(content(kind))
    for at, value in changes:
        damaged[at] = value
    image = look(tmp_path, bytes(damaged[: len(damaged) * kept // 100]))
    assert image.problem is None or image.problem.isprintable()


# When it was taken

TAKEN = "2024:01:31 12:00:05"
AT = (1_706_702_405_057_000_000, 3, False)


def png_with(exif_part: bytes, *, last: bool) -> bytes:
    """A PNG with the chunk before or behind its pixels."""
    content = saved(scene(), "PNG")
    chunk = b"eXIf" + exif_part
    at = content.rindex(b"IEND") - 4 if last else 33
    whole = struct.pack(">I", len(exif_part)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return content[:at] + whole + content[at:]


def with_exif(kind: str) -> bytes:
    part = exif.exif(TAKEN, "057")
    match kind:
        case "jpeg":
            return b"\xff\xd8" + exif.segment(part) + jpeg()[2:]
        case "jpeg, xmp first":
            return b"\xff\xd8" + b"\xff\xe1\x00\x1fhttp://ns.adobe.com/xap/1.0/\0" + exif.segment(part) + jpeg()[2:]
        case "jpeg, garbage before":
            table = jpeg().index(b"\xff\xdb")
            return jpeg()[:table] + b"garbage" + exif.segment(part) + jpeg()[table:]
        case "jpeg, far behind":
            filler = b"\xff\xe2\xff\xff" + bytes(65_533)
            return b"\xff\xd8" + 9 * filler + exif.segment(part) + jpeg()[2:]
        case "png":
            return png_with(part, last=False)
        case "png, last":
            return png_with(part, last=True)
        case "webp":
            return saved(scene(), "WebP", exif=b"Exif\0\0" + part)
        case _:
            return saved(scene(), "TIFF", exif=part)


@pytest.mark.parametrize(
    "kind",
    ["jpeg", "jpeg, xmp first", "jpeg, garbage before", "jpeg, far behind", "png", "png, last", "webp", "tiff"],
)  # fmt: skip
def test_when_it_was_taken(kind: str, tmp_path: Path) -> None:
    image = look(tmp_path, with_exif(kind))
    assert (image.problem, image.taken) == (None, AT)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WebP", "TIFF", "BMP"])
def test_a_picture_that_does_not_say_when(form: str, tmp_path: Path) -> None:
    assert look(tmp_path, saved(scene(), form)).taken is None


# How it is turned


def turned(kind: str, orientation: int, order: str) -> bytes:
    part = exif.exif(TAKEN, order=order, turned=exif.orientation(orientation, order=order))
    match kind:
        case "jpeg":
            return b"\xff\xd8" + exif.segment(part) + jpeg()[2:]
        case "jpeg-slow":
            table = jpeg().index(b"\xff\xdb")
            return jpeg()[:table] + b"garbage" + exif.segment(part) + jpeg()[table:]
        case "jpeg-beyond-the-first-chunk":
            filler = b"\xff\xe2\xff\xff" + bytes(65_533)
            return b"\xff\xd8" + 9 * filler + exif.segment(part) + jpeg()[2:]
        case "png":
            return png_with(part, last=False)
        case "webp":
            return saved(scene(), "WebP", exif=b"Exif\0\0" + part)
        case "tiff":
            return saved(scene(), "TIFF", tiffinfo={0x0112: orientation})
        case _:
            raise AssertionError(kind)


@pytest.mark.parametrize("kind", ["jpeg", "jpeg-slow", "jpeg-beyond-the-first-chunk", "png"])
@pytest.mark.parametrize(("orientation", "order"), [*((number, ">") for number in range(1, 9)), (6, "<")])
def test_how_a_browser_turns_it(kind: str, orientation: int, order: str, tmp_path: Path) -> None:
    image = look(tmp_path, turned(kind, orientation, order))
    assert (image.problem, image.pixels, image.orientation) == (None, (WIDTH, HEIGHT), orientation)


@pytest.mark.parametrize("kind", ["webp", "tiff"])
def test_what_browsers_do_not_turn(kind: str, tmp_path: Path) -> None:
    image = look(tmp_path, turned(kind, 6, ">"))
    assert (image.problem, image.pixels, image.orientation) == (None, (WIDTH, HEIGHT), 1)


def test_only_the_first_exif_of_a_jpeg_says_how_it_is_turned(tmp_path: Path) -> None:
    """An XMP segment before it is none; a second one may be a preview's."""
    first, second = (exif.segment(exif.exif(TAKEN, turned=exif.orientation(number))) for number in (8, 3))
    xmp = b"\xff\xe1\x00\x1fhttp://ns.adobe.com/xap/1.0/\0"
    assert look(tmp_path, b"\xff\xd8" + xmp + first + second + jpeg()[2:]).orientation == 8


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WebP", "BMP", "TIFF"])
def test_without_exif_it_is_not_turned(form: str, tmp_path: Path) -> None:
    assert look(tmp_path, saved(scene(), form)).orientation == 1
