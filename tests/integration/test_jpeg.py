"""JPEGs with parts that are missing, or in another's place: found where something proves it, and no whole one is."""

from __future__ import annotations

import io
import random
import shutil
import subprocess
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFile, ImageFilter

from agent.reading import decode
from agent.reading.formats import jpeg_opening
from tests.examined import look, look_at

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


SIZE = 1024, 768
HOLE = 4096


@cache
def noise() -> Pillow.Image:
    """Structure and sensor noise: some 150 KB."""
    grain = Pillow.frombytes("L", SIZE, random.Random(1).randbytes(SIZE[0] * SIZE[1])).filter(
        ImageFilter.GaussianBlur(1)
    )
    light = Pillow.linear_gradient("L").resize(SIZE)
    return Pillow.merge("RGB", [Pillow.blend(light, grain.rotate(turn), 0.5) for turn in (0, 90, 180)])


@cache
def night() -> Pillow.Image:
    """Nearly black, with lamps: most of it is noise near the clip."""
    picture = noise().point(lambda value: value // 24)
    draw = ImageDraw.Draw(picture)
    for left in range(20, SIZE[0], 150):
        draw.ellipse((left, 300, left + 16, 316), fill="yellow")
    return picture


def flat(colour: str) -> Pillow.Image:
    return Pillow.new("RGB", (2000, 1800), colour)


@cache
def half_flat() -> Pillow.Image:
    picture = Pillow.new("RGB", SIZE, "white")
    picture.paste(noise().crop((0, 0, SIZE[0], 200)), (0, 300))
    return picture


@cache
def page() -> Pillow.Image:
    picture = Pillow.new("RGB", (2480, 3508), "white")
    ImageDraw.Draw(picture).text((300, 300), "Invoice 17", fill="black")
    return picture


PICTURES: dict[str, Callable[[], Pillow.Image]] = {
    "noise": noise, "night": night, "white": lambda: flat("white"), "black": lambda: flat("black"),
    "green": lambda: flat("green"), "half-flat": half_flat, "page": page,
}  # fmt: skip

CODINGS: dict[str, dict[str, Any]] = {
    "baseline": {"quality": 85},
    "optimized": {"quality": 90, "optimize": True},
    "full-colour": {"quality": 100, "subsampling": 0, "optimize": True},
    "progressive": {"quality": 80, "progressive": True},
    "progressive-100": {"quality": 100, "progressive": True, "subsampling": 1},
    "restarts": {"quality": 85, "restart_marker_rows": 1},
    "restarts-far": {"quality": 85, "restart_marker_rows": 12, "optimize": True},
    "restarts-progressive": {"quality": 85, "restart_marker_rows": 2, "progressive": True},
}

MODES = ("RGB", "L", "CMYK")


@cache
def encoded(picture: str, coding: str, mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    PICTURES[picture]().convert(mode).save(file, "JPEG", **CODINGS[coding])
    return file.getvalue()


def with_hole(content: bytes, at: int, size: int = HOLE, fill: int = 0) -> bytes:
    return content[:at] + bytes([fill]) * size + content[at + size :]


def scan_begins(content: bytes) -> int:
    at = content.index(b"\xff\xda")
    return at + 2 + int.from_bytes(content[at + 2 : at + 4])


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("mode", MODES)
def test_whole_ones_pass_however_they_are_coded(picture: str, mode: str, tmp_path: Path) -> None:
    for coding in CODINGS:
        image = look(tmp_path, encoded(picture, coding, mode))
        assert (image.problem, image.warning) == (None, None), coding


@pytest.mark.parametrize("coding", CODINGS)
def test_nearly_all_holes_are_found(coding: str, tmp_path: Path) -> None:
    """Not each: what a hole stands for may be as many blocks as were there, above all where a scan only refines."""
    content = encoded("noise", coding)
    begin = scan_begins(content)
    room = len(content) - begin - HOLE - 2
    missed = []
    for number in range(12):
        at, fill = begin + room * number // 12, (0, 255, 0x55)[number % 3]
        if look(tmp_path, with_hole(content, at, fill=fill)).problem is None:
            missed.append((at, fill))
    assert len(missed) <= (2 if "progressive" in coding else 1), missed


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("fill", [0, 255])
def test_data_that_goes_on_in_equal_bytes_to_its_end_marker_is_found(coding: str, fill: int, tmp_path: Path) -> None:
    content = encoded("noise", coding)
    at = len(content) * 6 // 10
    image = look(tmp_path, with_hole(content, at, len(content) - at - 2, fill))
    assert image.problem is not None


def test_a_part_that_was_never_written_is_found(tmp_path: Path) -> None:
    content = encoded("noise", "baseline")
    file = tmp_path / "sparse.jpg"
    with file.open("wb") as out:
        out.write(content[: len(content) // 3 // 4096 * 4096])
        out.seek(len(content) * 2 // 3 // 4096 * 4096)
        out.write(content[out.tell() :])
    assert file.stat().st_size == len(content)
    problem = look_at(file).problem
    assert problem is not None
    assert "equal bytes in its picture data" in problem


@pytest.mark.parametrize("coding", ["restarts", "restarts-progressive"])
def test_parts_in_each_others_place_are_found_by_restart_markers(coding: str, tmp_path: Path) -> None:
    content = encoded("noise", coding)
    first, second = len(content) // 3, len(content) * 45 // 100
    parts = content[first : first + HOLE], content[second : second + HOLE]
    swapped = content[:first] + parts[1] + content[first + HOLE : second] + parts[0] + content[second + HOLE :]
    problem = look(tmp_path, swapped).problem
    assert problem is not None
    assert "restart markers are not in turn" in problem


def test_a_restart_interval_that_is_missing_is_found(tmp_path: Path) -> None:
    content = encoded("noise", "restarts")
    start = content.index(b"\xff\xd3", scan_begins(content))
    for last in (content.index(b"\xff\xd4", start), content.index(b"\xff\xd3", start + 2)):  # one, and eight
        problem = look(tmp_path, content[:start] + content[last:]).problem
        assert problem is not None
        assert "restart markers are not in turn" in problem


def test_one_restart_marker_too_many_at_the_end_is_no_damage(tmp_path: Path) -> None:
    content = encoded("noise", "restarts")
    last = max(content.rindex(bytes((0xFF, marker))) for marker in range(0xD0, 0xD8))
    following = bytes((0xFF, 0xD0 + (content[last + 1] - 0xD0 + 1) % 8))
    assert look(tmp_path, content[:-2] + following + content[-2:]).problem is None


@pytest.mark.parametrize(
    ("marker", "more"),
    [(b"\xff\xc0", 3), (b"\xff\xc4", 1), (b"\xff\xdb", 1), (b"\xff\xda", 2), (b"\xff\xdd", 1)],
    ids=["SOF", "DHT", "DQT", "SOS", "DRI"],
)
def test_a_header_that_is_longer_than_what_it_holds_is_damage(marker: bytes, more: int, tmp_path: Path) -> None:
    content = encoded("noise", "restarts")
    at = content.index(marker) + 2
    length = int.from_bytes(content[at : at + 2])
    longer = (length + more).to_bytes(2) + content[at + 2 : at + length] + bytes(more)
    problem = look(tmp_path, content[:at] + longer + content[at + length :]).problem
    assert problem is not None
    assert f"segment 0x{marker.hex()}" in problem


@pytest.mark.parametrize("fill", [0, 255])
@pytest.mark.parametrize("coding", ["baseline", "progressive", "restarts"])
def test_space_behind_the_last_block_is_no_damage(coding: str, fill: int, tmp_path: Path) -> None:
    content = encoded("noise", coding)
    assert look(tmp_path, content[:-2] + bytes([fill]) * 2000 + content[-2:]).problem is None


@pytest.mark.parametrize("coding", ["baseline", "restarts", "optimized"])
def test_pictures_and_videos_behind_the_end_marker_are_no_damage(coding: str, tmp_path: Path) -> None:
    """As phones write them: previews (MPF), or a video (motion photo), with space between."""
    content = encoded("noise", coding)
    small = encoded("night", "baseline")
    video = b"\0\0\0\x18ftypmp42" + bytes(12) + random.Random(3).randbytes(20_000) + bytes(5000)
    for tail in (bytes(3000) + small, small + bytes(4096) + small, video, bytes(10_000)):
        assert look(tmp_path, content + tail).problem is None


def test_a_hole_before_a_preview_is_found(tmp_path: Path) -> None:
    content = encoded("noise", "baseline")
    assert look(tmp_path, with_hole(content, len(content) // 2) + bytes(3000) + encoded("night", "baseline")).problem


def with_notes(content: bytes) -> bytes:
    """With a maker's notes before the picture, in which there are many runs of equal bytes."""
    notes = b"".join(bytes([number]) * 600 + b"\xff\xfe" for number in range(100))
    return content[:2] + b"\xff\xe2" + (len(notes) + 2).to_bytes(2) + notes + content[2:]


def test_pictures_that_are_read_at_once_keep_their_own_headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Changing(list[Any]):
        """Set anew by another thread between the first look at it and the next one."""

        def __getitem__(self, _: object) -> Any:
            return self.pop(0) if len(self) > 1 else super().__getitem__(0)

    one, other = encoded("noise", "baseline"), io.BytesIO()
    noise().resize((64, 48)).save(other, "JPEG")
    openings = []
    for content in (one, other.getvalue()):
        assert look(tmp_path, content).problem is None
        openings.append(jpeg_opening.recent[0])
    assert openings[0] != openings[1]
    monkeypatch.setattr(jpeg_opening, "recent", Changing(openings))
    image = look(tmp_path, one)
    assert (image.problem, image.pixels) == (None, SIZE)


def test_runs_in_the_headers_hide_no_hole(tmp_path: Path) -> None:
    content = with_notes(encoded("noise", "baseline"))
    assert look(tmp_path, content).problem is None
    assert look(tmp_path, with_hole(content, len(content) * 2 // 3)).problem


def test_what_takes_too_much_memory_is_not_decoded_for_equal_bytes_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = [encoded("noise", coding) for coding in ("baseline", "progressive")]
    broken = [with_hole(content, len(content) // 2) for content in contents]
    assert all(look(tmp_path, content).problem for content in broken)
    monkeypatch.setattr(decode, "_MOST_HELD", 1_000_000)
    assert [look(tmp_path, content).problem is None for content in broken] == [False, True]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), coding=st.sampled_from(sorted(CODINGS)))
def test_every_cut_and_every_change_of_a_byte_is_judged_and_no_more(
    data: st.DataObject, coding: str, tmp_path: Path
) -> None:
    content = bytearray(encoded("half-flat", coding))
    for at in data.draw(st.lists(st.integers(2, len(content) - 1), max_size=4)):
        content[at] = data.draw(st.sampled_from((0x00, 0xFF, 0xD0, 0xC4, 0xDA, 0xD8)))
    look(tmp_path, bytes(content))  # it says what it may, and raises nothing
    cut = data.draw(st.integers(0, len(content) - 3))
    assert look(tmp_path, encoded("half-flat", coding)[:cut]).problem is not None


@pytest.mark.skipif(shutil.which("cjpeg") is None, reason="no cjpeg (Debian: libjpeg-turbo-progs)")
@pytest.mark.parametrize("options", [(), ("-progressive",)], ids=["sequential", "progressive"])
def test_an_arithmetic_jpeg_of_any_size_is_taken_and_its_holes_are_found(options: tuple[str], tmp_path: Path) -> None:
    file = io.BytesIO()
    noise().save(file, "PPM")
    command = ("cjpeg", "-quality", "95", "-arithmetic", *options)
    content = subprocess.run(command, input=file.getvalue(), capture_output=True, check=True).stdout
    assert len(content) > ImageFile.MAXBLOCK
    assert look(tmp_path, content).problem is None
    assert look(tmp_path, with_hole(content, len(content) // 2)).problem is not None
