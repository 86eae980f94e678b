"""Damaged pictures do not pass. By Pillow alone: `python -m tests.pictures` asks all encoders the same."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.pictures import scenes
from tests.pictures.judging import look
from tests.pictures.pillow import WAYS, Way

if TYPE_CHECKING:
    from pathlib import Path

    from agent.model import Image

LITTLE = (160, 120)
drawn = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@cache
def street(way: Way, size: scenes.Size = LITTLE) -> bytes:
    return way.content(scenes.street(size))


def seen(folder: Path, content: bytes) -> Image:
    path = folder / "picture"
    path.write_bytes(content)
    return look(str(path))


@drawn
@given(way=st.sampled_from(WAYS), share=st.floats(0, 1, exclude_max=True))
def test_every_cut_is_found(way: Way, share: float, tmp_path: Path) -> None:
    whole = street(way)
    assert seen(tmp_path, whole[: int(share * len(whole))]).problem is not None
