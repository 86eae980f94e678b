"""A decoded picture → a small file: in colours that a screen has, hatched where nothing is there, and turned."""

from __future__ import annotations

import io
from typing import Final, NamedTuple

from PIL import Image, ImageDraw

_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
_HATCH: Final = 16
_GREY, _RED = (208, 208, 208), (224, 32, 24)


class Small(NamedTuple):
    """A small picture as a file; `cut` is at which part of its stored height nothing more is there; None: whole."""

    content: bytes
    kind: str
    size: tuple[int, int]
    cut: float | None


class Found(NamedTuple):
    """A decoded picture, the rows of it where nothing is there (first, and behind the last), and how it is turned."""

    picture: Image.Image
    missing: tuple[int, int] | None
    orientation: int


def finished(found: Found, orientation: int | None, side: int) -> Small:
    """Return a decoded picture small, without colours that no screen has, hatched where it is cut, and turned."""
    height = found.picture.height
    picture = _in_colours(found.picture, side)
    if found.missing:
        first, last = (round(row * picture.height / height) for row in found.missing)
        _hatch(picture, first, max(last, first + 1))
    turn = _TURNS.get(orientation if orientation is not None else found.orientation)
    if turn is not None:
        picture = picture.transpose(turn)
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=82)
    cut = None if found.missing is None else found.missing[0] / height
    return Small(content.getvalue(), "image/jpeg", picture.size, cut)


def _in_colours(picture: Image.Image, side: int) -> Image.Image:
    """Return it as RGB, made small; what has 16 bits by its upper eight, as browsers show it; upon white."""
    if picture.mode.startswith("I;16"):
        picture = picture.point(lambda value: value * (1 / 256)).convert("L")
    elif picture.mode in ("I", "F"):
        low, high = picture.getextrema()
        assert isinstance(low, int | float)
        assert isinstance(high, int | float)
        scale = 255 / ((high - low) or 1)
        picture = picture.point(lambda value: value * scale - low * scale).convert("L")
    if picture.mode in ("P", "PA", "LA", "RGBA", "La", "RGBa") or "transparency" in picture.info:
        if picture.mode != "RGBA":
            picture = picture.convert("RGBA")
        picture.thumbnail((side, side))
        paper = Image.new("RGBA", picture.size, "white")
        paper.alpha_composite(picture)
        return paper.convert("RGB")
    if picture.mode not in ("RGB", "L", "CMYK"):
        picture = picture.convert("RGB")
    picture.thumbnail((side, side))
    return picture.convert("RGB")


def _hatch(picture: Image.Image, first: int, last: int) -> None:
    """Cover rows with grey and red hatching, and draw a line where the picture ends."""
    width = picture.width
    cover = Image.new("RGB", (width, last - first), _GREY)
    lines = ImageDraw.Draw(cover)
    for left in range(-cover.height, width, _HATCH):
        lines.line((left, cover.height, left + cover.height, 0), fill=_RED, width=3)
    under = picture.crop((0, first, width, last))
    picture.paste(Image.blend(under, cover, 0.7), (0, first))
    edge = first if first > 0 else last
    ImageDraw.Draw(picture).line((0, edge, width, edge), fill=_RED, width=2)
