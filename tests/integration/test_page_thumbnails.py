"""Small pictures are made once, by few threads, and kept as long as there is room for them."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from agent.core.names import Filters
from agent.folder.scanner import Scanner
from agent.ledger.one_job import JobFrame
from agent.model import Stamp
from agent.page import decoding
from agent.page.files import NotThereError
from agent.page.thumbnails import AT_ONCE, MOST_WAITING, Busy, Thumbnails
from tests.support import image, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGE = (2100, 2000)
KEPT = 60_000


@pytest.fixture
def thumbnails(tmp_path: Path) -> Iterator[Thumbnails]:
    with contextlib.closing(Thumbnails(Scanner(tmp_path, Filters.of(())), kept_bytes=KEPT)) as found:
        yield found


def frame(place: Path, name: str, content: bytes) -> JobFrame:
    file = write(place / name, content)
    return JobFrame(0, name, name, Stamp.of(file.stat()), f"digest of {name}", None, None)


def large(place: Path, name: str) -> JobFrame:
    content = io.BytesIO()
    Image.new("L", LARGE, 7).save(content, "PNG")
    return frame(place, name, content.getvalue())


def test_what_several_ask_for_is_made_once_and_what_is_too_much_is_refused(
    thumbnails: Thumbnails, tmp_path: Path
) -> None:
    frames = [large(tmp_path, f"{number}.png") for number in range(MOST_WAITING + 1)]
    with decoding._one_large:
        waiting = [thumbnails.of(each) for each in frames[:MOST_WAITING]]
        assert thumbnails.of(frames[0]) is waiting[0]
        with pytest.raises(Busy):
            thumbnails.of(frames[MOST_WAITING])
        assert len([each for each in waiting if each.running()]) <= AT_ONCE
        assert not any(each.done() for each in waiting)
    assert {each.result(30).size for each in waiting} == {(224, 213)}
    assert thumbnails.of(frames[MOST_WAITING]).result(30).cut is None


def test_what_is_kept_is_bounded_and_what_is_asked_for_again_is_the_same(
    thumbnails: Thumbnails, tmp_path: Path
) -> None:
    frames = [frame(tmp_path, f"{number}.jpg", image(number, size=(320, 240))) for number in range(20)]
    made = [thumbnails.of(each).result(30) for each in frames]
    assert sum(len(each.content) for each in made) > 2 * KEPT
    assert thumbnails.of(frames[-1]).result(30) is made[-1]
    assert thumbnails.of(frames[0]).result(30) is not made[0]
    assert 0 < thumbnails._bytes <= KEPT
    assert thumbnails._bytes == sum(len(each.content) for each in thumbnails._kept.values())
    assert thumbnails._making == {}


def test_what_is_kept_is_not_shown_of_a_file_that_has_changed(thumbnails: Thumbnails, tmp_path: Path) -> None:
    known = frame(tmp_path, "a.jpg", image(1, size=(320, 240)))
    assert thumbnails.of(known).result(30).cut is None
    write(tmp_path / "a.jpg", image(2, size=(320, 240)))
    with pytest.raises(NotThereError, match="has changed"):
        thumbnails.of(known).result(30)
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(NotThereError, match="is gone"):
        thumbnails.of(known).result(30)
