"""Small pictures: as they are seen, cut where they are cut, and never more room than there is for them."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import tempfile
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from agent.page.decoding import SMALL, NotShownError, shown_as, small
from tests.exif import exif, orientation, segment
from tests.pngs import MAGIC, chunk, header

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.page.finishing import Small

SIZE = (640, 480)
STRIPES = 12


def stripes() -> Image.Image:
    """Return a picture of coloured noise in twelve stripes: no row of it is like another."""
    noise = Image.effect_noise(SIZE, 40)
    picture = Image.merge("RGB", [noise, noise.rotate(180), noise.transpose(Image.Transpose.FLIP_LEFT_RIGHT)])
    for row in range(STRIPES):
        height = SIZE[1] // STRIPES
        colour = Image.new("RGB", (SIZE[0], height), (20 * row, 250 - 20 * row, 90 + 60 * (row % 3)))
        part = picture.crop((0, row * height, SIZE[0], (row + 1) * height))
        picture.paste(Image.blend(part, colour, 0.6), (0, row * height))
    return picture


PICTURE = stripes()


def encoded(form: str, picture: Image.Image = PICTURE, **options: Any) -> bytes:
    content = io.BytesIO()
    picture.save(content, form, **options)
    return content.getvalue()


def shrunk(content: bytes, turned: int | None = None) -> Small:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        return small(file.fileno(), turned)


def seen(found: Small) -> Image.Image:
    return Image.open(io.BytesIO(found.content)).convert("RGB")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WebP", "BMP", "TIFF", "GIF", "AVIF"])
def test_every_format_becomes_small_and_is_whole(form: str) -> None:
    content = encoded(form)
    found = shrunk(content)
    assert (found.size, found.cut, found.kind) == ((SMALL, SMALL * 3 // 4), None, "image/jpeg")
    ours, theirs = seen(found), PICTURE.resize(found.size)
    for row in range(STRIPES):
        at = (100, int((row + 0.5) * found.size[1] / STRIPES))
        assert all(abs(a - b) < 70 for a, b in zip(pixel(ours, at), pixel(theirs, at), strict=True))
    assert (shown_as(content[:64]) is None) is (form == "TIFF")


def pixel(picture: Image.Image, at: tuple[int, int]) -> Sequence[int]:
    found = picture.getpixel(at)
    assert isinstance(found, tuple)
    return [int(band) for band in found]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "CMYK", "F"])
def test_every_kind_of_colours_is_shown(mode: str) -> None:
    form = {"CMYK": "JPEG", "F": "TIFF"}.get(mode, "PNG")
    found = shrunk(encoded(form, PICTURE.convert("L" if mode in ("I;16", "F") else "RGB").convert(mode)))
    assert (found.size, found.cut) == ((SMALL, SMALL * 3 // 4), None)


@pytest.mark.parametrize("value", range(1, 9))
def test_it_is_turned_as_a_browser_turns_it(value: int) -> None:
    picture = Image.new("RGB", (64, 48), "white")
    picture.paste("red", (0, 0, 32, 24))  # where the file's upper left is
    tag = exif("", turned=orientation(value))
    jpeg = encoded("JPEG", picture)
    png = encoded("PNG", picture)
    end = len(MAGIC) + 25
    places = {1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1)}
    for content, by_ledger in [
        (jpeg[:2] + segment(tag) + jpeg[2:], None),
        (png[:end] + chunk(b"eXIf", tag) + png[end:], None),
        (jpeg, value),
        (encoded("WebP", picture, exif=tag), 1),
    ]:
        found = shrunk(content, by_ledger)
        is_turned = by_ledger != 1
        assert found.size == ((48, 64) if value >= 5 and is_turned else (64, 48))
        right, low = places[value] if is_turned else (0, 0)
        inside = (found.size[0] // 4 + right * found.size[0] // 2, found.size[1] // 4 + low * found.size[1] // 2)
        assert pixel(seen(found), inside)[1] < 90


def test_a_webp_is_not_turned_by_its_exif() -> None:
    assert shrunk(encoded("WebP", exif=exif("", turned=orientation(6)))).size == (SMALL, SMALL * 3 // 4)


# ---------------------------------------------------------------- what is cut


def cut_row(content: bytes, part: float) -> float:
    found = shrunk(content[: int(len(content) * part)])
    assert found.cut is not None
    return found.cut


@pytest.mark.parametrize("part", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("kind", ["JPEG", "grey JPEG", "restarts", "PNG", "palette", "zeros"])
def test_what_is_cut_shows_where(kind: str, part: float) -> None:
    content = {
        "JPEG": lambda: encoded("JPEG"),
        "grey JPEG": lambda: encoded("JPEG", PICTURE.convert("L")),
        "restarts": lambda: encoded("JPEG", restart_marker_rows=1),
        "PNG": lambda: encoded("PNG"),
        "palette": lambda: encoded("PNG", PICTURE.convert("P")),
        "zeros": lambda: encoded("JPEG"),
    }[kind]()
    if kind == "zeros":
        end = int(len(content) * part)
        found = shrunk(content[:end] + bytes(len(content) - end))
        assert found.cut is not None
        row = found.cut
    else:
        row = cut_row(content, part)
    assert abs(row - part) < 0.1


@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.95])
def test_a_jpeg_of_scans_shows_what_is_there(part: float) -> None:
    content = encoded("JPEG", progressive=True)
    found = shrunk(content[: int(len(content) * part)])
    assert found.cut is not None
    assert 0 <= found.cut <= 1
    assert len(set(seen(found).crop((0, 0, 200, 8)).tobytes())) > 20


def test_what_is_cut_of_a_picture_that_is_turned_is_turned_with_it() -> None:
    content = encoded("JPEG")
    found = seen(shrunk(content[: len(content) // 2], 6))
    assert found.size == (SMALL * 3 // 4, SMALL)
    left, right = (found.crop((at, 100, at + 40, 140)) for at in (20, 120))
    assert (reddish(left), reddish(right)) == (True, False)


def reddish(picture: Image.Image) -> bool:
    """Tell whether a part is hatched: some of it is red, and some is grey."""
    across = [pixel(picture, (x, 20)) for x in range(picture.width)]
    red = sum(colour[0] - colour[1] > 60 for colour in across)
    return 3 < red < picture.width - 3


def test_a_bmp_begins_with_its_last_row() -> None:
    content = encoded("BMP")
    assert cut_row(content, 0.6) == 0


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"hello, world", "no picture that is known"),
        (b"", "no picture that is known"),
        (b"\xff\xd8\xff\xe0" + bytes(3000), "cannot be decoded"),
        (encoded("JPEG")[:200], "cannot be decoded"),
        (encoded("WebP")[:3000], "cannot be decoded"),
        (MAGIC + chunk(b"IHDR", b"\0" * 13), "cannot be decoded"),
    ],
)
def test_what_cannot_be_shown_is_told(content: bytes, why: str) -> None:
    with pytest.raises(NotShownError, match=why):
        shrunk(content)


def test_a_bomb_is_refused_before_there_is_room_for_it() -> None:
    packed = zlib.compress(bytes(100_000))
    bomb = MAGIC + header(60_000, 60_000) + chunk(b"IDAT", packed) + chunk(b"IEND")
    with pytest.raises(NotShownError, match="too large to be shown here: 60,000 x 60,000 pixels"):
        shrunk(bomb)
    jpeg = encoded("JPEG", progressive=True)
    at = jpeg.index(b"\xff\xc2")
    large = jpeg[: at + 5] + struct.pack(">HH", 20_000, 20_000) + jpeg[at + 9 :]
    with pytest.raises(NotShownError, match="20,000 x 20,000 pixels"):
        shrunk(large)


def test_a_file_that_would_be_read_in_one_piece_is_bounded() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(encoded("WebP"))
        os.truncate(file.fileno(), 2**33)
        with pytest.raises(NotShownError, match="too large to be shown here: 8,589,934,592 bytes"):
            small(file.fileno())


WHOLE = [encoded(form, PICTURE.resize((64, 48))) for form in ("JPEG", "PNG", "WebP", "BMP", "GIF")]
WHOLE.append(encoded("JPEG", PICTURE.resize((64, 48)), progressive=True))


@settings(max_examples=200, deadline=None)
@given(
    content=st.sampled_from(WHOLE),
    places=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=8),
    end=st.floats(0.05, 1),
)
def test_whatever_is_in_a_file_it_is_shown_or_told(content: bytes, places: list[tuple[float, int]], end: float) -> None:
    damaged = bytearray(content)
    for place, value in places:
        damaged[int(place * len(damaged))] = value
    with contextlib.suppress(NotShownError):
        found = shrunk(bytes(damaged[: int(end * len(damaged))]))
        assert max(found.size) <= SMALL
        assert found.cut is None or 0 <= found.cut <= 1
