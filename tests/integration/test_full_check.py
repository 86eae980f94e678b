"""IMAGE_CHECK=full: every picture is decoded, and what its decoder warns of counts."""

from __future__ import annotations

import io
import os
import random
import struct
import sys
import zlib
from typing import TYPE_CHECKING

import pytest
from PIL import Image as Pillow
from PIL import ImageFilter

from agent.core.image_format import EXTENSIONS
from agent.core.image_rules import ImageRules
from agent.errors import FileUnreadable, SettingsError
from agent.folder.scanner import Scanner
from agent.model import Stamp
from agent.reading import full
from agent.reading.check import examine
from agent.reading.full import require
from agent.reading.processes.child import MOST_PIXELS
from agent.reading.processes.pool import ProcessPool
from agent.reading.readers import CHUNK_FILES
from agent.reporting.checks import Level
from agent.reporting.checks.pictures import check_pictures
from agent.settings.parts import filters_of
from tests.support import eventually, settings, write

if TYPE_CHECKING:
    from pathlib import Path

    from agent.model import Image

FULL = ImageRules(decodes=True)
FORMS = {
    "jpg": "JPEG", "png": "PNG", "webp": "WEBP", "bmp": "BMP", "tif": "TIFF", "gif": "GIF", "avif": "AVIF",
}  # fmt: skip


def noise(size: tuple[int, int] = (320, 240)) -> Pillow.Image:
    """The same each time: not each damage to a picture makes no sense to its decoder."""
    grain = Pillow.frombytes("L", size, random.Random(1).randbytes(size[0] * size[1]))
    return grain.filter(ImageFilter.GaussianBlur(1)).convert("RGB")


def saved(form: str, picture: Pillow.Image | None = None, **options: object) -> bytes:
    file = io.BytesIO()
    (picture or noise()).save(file, form, **options)
    return file.getvalue()


def swapped(jpeg: bytes) -> bytes:
    """Two parts in each other's place: nothing in the structure tells."""
    first, second = len(jpeg) // 3, len(jpeg) * 2 // 3
    parts = jpeg[first : first + 1024], jpeg[second : second + 1024]
    return jpeg[:first] + parts[1] + jpeg[first + 1024 : second] + parts[0] + jpeg[second + 1024 :]


def check(place: Path, content: bytes, rules: ImageRules, name: str = "a.jpg") -> Image:
    file = place / name
    file.write_bytes(content)
    fd = os.open(file, os.O_RDONLY)
    try:
        return examine(fd, name, Stamp.of(os.fstat(fd)), rules=rules)
    finally:
        os.close(fd)


@pytest.mark.parametrize("extension", FORMS)
def test_whole_pictures_pass(extension: str, tmp_path: Path) -> None:
    assert check(tmp_path, saved(FORMS[extension]), FULL, f"a.{extension}").problem is None


def test_each_format_has_its_decoder() -> None:
    assert set(full._PLUGINS) == set(EXTENSIONS)


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
@pytest.mark.parametrize("options", [{"progressive": True}, {"optimize": True}, {"restart_marker_rows": 1}])
def test_jpegs_of_all_kinds_pass(mode: str, options: dict[str, object], tmp_path: Path) -> None:
    assert check(tmp_path, saved("JPEG", noise().convert(mode), **options), FULL).problem is None


def test_what_the_decoder_warns_of_is_damage(tmp_path: Path) -> None:
    content = swapped(saved("JPEG"))
    assert check(tmp_path, content, ImageRules()).problem is None
    problem = check(tmp_path, content, FULL).problem
    assert problem is not None
    assert "cannot be decoded without errors (Corrupt JPEG data" in problem


@pytest.mark.parametrize(("spare", "is_whole"), [(8, True), (20, True), (200, False)])
def test_a_few_bytes_more_before_the_end_are_no_damage(spare: int, is_whole: bool, tmp_path: Path) -> None:
    content = saved("JPEG")
    found = check(tmp_path, content[:-2] + bytes(range(1, spare + 1)) + content[-2:], FULL)
    assert (found.problem is None) is is_whole


@pytest.mark.parametrize(("kind", "body"), [(b"zTXt", b"k\0\0" + zlib.compress(bytes(3_000_000))), (b"pHYs", b"\0")])
def test_what_stands_behind_the_pixels_of_a_png_is_no_damage(kind: bytes, body: bytes, tmp_path: Path) -> None:
    content = saved("PNG")
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    assert check(tmp_path, content[:-12] + chunk + content[-12:], FULL, "a.png").problem is None


def test_pixels_of_a_png_that_cannot_be_unpacked_are_damage(tmp_path: Path) -> None:
    content = saved("PNG")
    start = content.index(b"IDAT")
    length = int.from_bytes(content[start - 4 : start])
    body = content[start : start + 4 + length // 2] + bytes(length - length // 2)
    broken = content[:start] + body + struct.pack(">I", zlib.crc32(body)) + content[start + 8 + length :]
    assert check(tmp_path, broken, ImageRules(), "a.png").problem is None
    problem = check(tmp_path, broken, FULL, "a.png").problem
    assert problem is not None
    assert "cannot be decoded without errors" in problem


def test_a_tiff_whose_data_make_no_sense_is_damaged(tmp_path: Path) -> None:
    content = bytearray(saved("TIFF", compression="tiff_adobe_deflate"))
    content[8:72] = b"\xff" * 64  # where the first strip begins
    assert check(tmp_path, bytes(content), FULL, "a.tif").problem is not None


def test_what_is_too_large_to_be_decoded_is_taken_by_its_structure(tmp_path: Path) -> None:
    large = saved("PNG", Pillow.new("1", (12_000, 8_000)))
    assert check(tmp_path, large, FULL, "a.png").problem is None


def test_processes_decode_too_and_leave_large_ones_to_the_agent(tmp_path: Path) -> None:
    good, bad = saved("JPEG"), swapped(saved("JPEG"))
    folder = tmp_path / "inbox" / "s"
    folder.mkdir(parents=True)
    for number in range(4 * CHUNK_FILES):
        write(folder / f"f{number:04}.jpg", bad if number % 50 == 7 else good)
    write(folder / "large.png", saved("PNG", Pillow.new("1", (6000, MOST_PIXELS // 6000 + 1))))
    scanner = Scanner(tmp_path / "inbox", filters_of(settings(tmp_path, "http://127.0.0.1:9")))
    listing = scanner.list("s")
    assert listing is not None
    pool = ProcessPool(scanner, lambda: None, 2, rules=FULL)
    try:
        found = {file[0]: image.problem for file, image in pool.images("s", listing.files)}
    finally:
        pool.kill()
        pool.rest()
    assert len(found) == 4 * CHUNK_FILES + 1
    assert {name for name, problem in found.items() if problem} == {
        f"f{number:04}.jpg" for number in range(4 * CHUNK_FILES) if number % 50 == 7
    }
    assert not any(problem == "only decoding can tell" for problem in found.values())


def test_a_picture_that_ends_its_decoder_is_told_and_ends_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = (
        "import os\n"
        "def decode_jpeg_header(content): return 1, 1, 'Gray', ''\n"
        "def decode_jpeg(content, **_):\n"
        "    if b'ends its decoder' in content: os.kill(os.getpid(), 11)\n"
    )
    write(tmp_path / "fake" / "simplejpeg.py", fake.encode())
    monkeypatch.syspath_prepend(tmp_path / "fake")
    folder = tmp_path / "inbox" / "s"
    good = saved("JPEG")
    for number in range(4 * CHUNK_FILES):
        write(folder / f"f{number:04}.jpg", good)
    write(folder / "f0200.jpg", saved("JPEG", comment=b"ends its decoder"))
    scanner = Scanner(tmp_path / "inbox", filters_of(settings(tmp_path, "http://127.0.0.1:9")))
    listing = scanner.list("s")
    assert listing is not None
    pool = ProcessPool(scanner, lambda: None, 2, rules=FULL)
    pool.prepare()
    try:
        eventually(lambda: all(process.is_ready for process in pool.processes))
        with pytest.raises(FileUnreadable, match=r"f0200\.jpg.* has ended \(signal 11\)"):
            list(pool.images("s", listing.files))
    finally:
        pool.kill()
        pool.rest()


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])  # nothing is found any more
    monkeypatch.delitem(sys.modules, "simplejpeg", raising=False)
    require(ImageRules())
    with pytest.raises(SettingsError) as caught:
        require(FULL)
    assert caught.value.problems == (
        "IMAGE_CHECK is full, and what decodes JPEGs for it is not installed: pip install '.[fullcheck]'.",
    )
    (told,) = check_pictures(settings(tmp_path, "http://127.0.0.1:9", IMAGE_CHECK="full"), {})
    assert told.level is Level.FAIL
    assert told.text.startswith("IMAGE_CHECK is full")


def test_check_says_that_each_is_decoded(tmp_path: Path) -> None:
    told = next(check_pictures(settings(tmp_path, "http://127.0.0.1:9", IMAGE_CHECK="full"), {}))
    assert (told.level, "each is decoded (IMAGE_CHECK)" in told.text) == (Level.OK, True)
