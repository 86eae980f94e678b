"""Whole pictures pass, damaged ones do not. By Pillow alone: `python -m tests.pictures` asks all encoders the same."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examined import look_at
from tests.pictures import scenes
from tests.pictures.damage import BLOCK, shows_holes
from tests.pictures.judging import SMALLEST, damaged, judged
from tests.pictures.made import Good
from tests.pictures.pillow import EXTENSIONS, WAYS, Way

if TYPE_CHECKING:
    from pathlib import Path

    from agent.model import Image

LITTLE = (160, 120)
ways = pytest.mark.parametrize("way", WAYS, ids=str)
drawn = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@cache
def street(way: Way, size: scenes.Size = LITTLE) -> bytes:
    return way.content(scenes.street(size))


def seen(folder: Path, content: bytes) -> Image:
    path = folder / "picture"
    path.write_bytes(content)
    return look_at(path)


@ways
def test_every_whole_picture_passes(way: Way, tmp_path: Path) -> None:
    for name, make in scenes.SCENES.items():
        for size in (LITTLE, scenes.ODD):
            path = tmp_path / f"{name}-{size[0]}.{EXTENSIONS[way.form]}"
            path.write_bytes(way.content(make(size)))
            verdict = judged(Good("Pillow", name, str(way), str(path)))
            assert not verdict.is_refused, verdict


@drawn
@given(way=st.sampled_from(WAYS), share=st.floats(0, 1, exclude_max=True))
def test_every_cut_is_found(way: Way, share: float, tmp_path: Path) -> None:
    whole = street(way)
    # A TIFF may end with four bytes that say that no other picture follows: it is whole without them.
    length = len(whole) - 4 * (way.form == "TIFF")
    assert seen(tmp_path, whole[: int(share * length)]).problem is not None


@drawn
@given(
    way=st.sampled_from([way for way in WAYS if way.form == "PNG"]),
    share=st.floats(0, 1, exclude_max=True),
    bit=st.integers(0, 7),
)
def test_every_bit_of_a_png_counts(way: Way, share: float, bit: int, tmp_path: Path) -> None:
    content = bytearray(street(way))
    content[int(share * len(content))] ^= 1 << bit
    assert seen(tmp_path, bytes(content)).problem is not None


@drawn
@given(
    way=st.sampled_from([way for way in WAYS if way.form == "PNG"]),
    share=st.floats(0, 1, exclude_max=True),
    size=st.integers(1, 4 * BLOCK),
    fill=st.sampled_from((0, 0xFF)),
)
def test_every_hole_in_a_png_is_found(way: Way, share: float, size: int, fill: int, tmp_path: Path) -> None:
    whole = street(way)
    start = int(share * len(whole))
    content = whole[:start] + bytes((fill,)) * min(size, len(whole) - start) + whole[start + size :]
    assert content == whole or seen(tmp_path, content).problem is not None


def test_as_much_is_found_as_must_be(tmp_path: Path) -> None:
    goods: dict[str, list[Good]] = {}
    for number, way in enumerate(WAYS):
        path = tmp_path / str(number)
        path.write_bytes(street(way, scenes.SMALL))
        verdict = judged(Good("Pillow", "street", str(way), str(path)))
        if path.stat().st_size >= SMALLEST:
            goods.setdefault(verdict.group, []).append(verdict.good)
    assert set(goods) >= {"JPEG", "PNG", "WebP lossy", "WebP lossless", "BMP", "TIFF raw", "TIFF packed", "GIF"}
    some = {group: files[:: 1 + len(files) // 4] for group, files in goods.items()}
    shares = damaged(some, tmp_path, sparse=shows_holes(str(tmp_path)))
    assert not shares.short()
