"""What is in the pictures: a street by day and by night, a screen shot, masks, nothing. The same at every run."""

from __future__ import annotations

import random
from functools import cache
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageChops, ImageDraw, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Callable

    Size = tuple[int, int]

CAMERA: Final = (1280, 720)
SMALL: Final = (640, 480)
ODD: Final = (333, 251)
"""No multiple of 8 or of 16, and rows that need padding."""
LARGE: Final = (4000, 3000)

_WHITE: Final = (255, 255, 255)


@cache
def street(size: Size, seed: int = 1) -> Image.Image:
    """Return a picture as a camera gives: light that falls off, edges, textures of all sizes, and sensor noise."""
    rng = random.Random(seed)
    picture = Image.merge("RGB", [_light(size, turn) for turn in (0, 90, 180)])
    for side in (8, 32, 128):
        picture = Image.blend(picture, _noise((side, side), rng).resize(size, Image.Resampling.BICUBIC), 0.25)
    draw = ImageDraw.Draw(picture)
    for _ in range(60):
        left, top = rng.randrange(size[0]), rng.randrange(size[1])
        box = (left, top, left + rng.randrange(4, 1 + size[0] // 4), top + rng.randrange(4, 1 + size[1] // 4))
        draw.rectangle(box, fill=tuple(rng.randbytes(3)))
        draw.line(box, fill=tuple(rng.randbytes(3)), width=rng.randrange(1, 4))
    return Image.blend(picture.filter(ImageFilter.GaussianBlur(0.8)), _noise(size, rng), 0.08)


def night(size: Size) -> Image.Image:
    """Return what a sensor gives in the dark: some lamps, and noise around black."""
    lamps = Image.new("RGB", size)
    draw = ImageDraw.Draw(lamps)
    rng = random.Random(2)
    for _ in range(12):
        left, top = rng.randrange(size[0]), rng.randrange(size[1])
        draw.ellipse((left, top, left + 9, top + 9), fill=(255, 240, 200))
    noise = _noise(size, rng).point(lambda value: max(0, value - 235))
    return ImageChops.add(lamps.filter(ImageFilter.GaussianBlur(3)), noise)


def sky(size: Size) -> Image.Image:
    """Return a street below an overexposed sky: two thirds are one white."""
    picture = street(size).copy()
    picture.paste(_WHITE, (0, 0, size[0], size[1] * 2 // 3))
    return picture


def fisheye(size: Size) -> Image.Image:
    """Return a street within a black frame, as through a round lens."""
    circle = Image.new("L", size)
    middle, radius = size[0] // 2, size[1] // 2 - 4
    ImageDraw.Draw(circle).ellipse((middle - radius, 4, middle + radius, 4 + 2 * radius), fill=255)
    return Image.composite(street(size), Image.new("RGB", size), circle)


def screen(size: Size) -> Image.Image:
    """Return a screen shot: text and boxes in few colours."""
    picture = Image.new("RGB", size, (240, 240, 245))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, size[0], 30), fill=(30, 60, 120))
    for line in range(40, size[1] - 12, 14):
        draw.text((10, line), f"{line:04} of what is told here: the ledger knows {line * 7} jobs", fill=(20, 20, 20))
    return picture


def gradient(size: Size) -> Image.Image:
    """Return light that falls off evenly, without noise."""
    return Image.merge("RGB", [_light(size, turn) for turn in (0, 90, 180)])


def mask(size: Size) -> Image.Image:
    """Return a few areas of one colour on black, as a segmentation's mask."""
    picture = Image.new("RGB", size)
    draw = ImageDraw.Draw(picture)
    draw.polygon(
        [(size[0] // 4, size[1] // 3), (size[0] // 2, size[1] // 4), (size[0] // 3, size[1] // 2)], (0, 0, 255)
    )
    draw.rectangle((size[0] // 2, size[1] // 2, size[0] * 3 // 4, size[1] * 3 // 4), fill=(255, 0, 0))
    return picture


def flat(colour: tuple[int, int, int]) -> Callable[[Size], Image.Image]:
    """Return what makes pictures of one colour."""
    return lambda size: Image.new("RGB", size, colour)


SCENES: Final[dict[str, Callable[[Size], Image.Image]]] = {
    "street": street,
    "night": night,
    "sky": sky,
    "fisheye": fisheye,
    "screen": screen,
    "gradient": gradient,
    "mask": mask,
    "white": flat(_WHITE),
    "grey": flat((127, 127, 127)),
    "black": flat((0, 0, 0)),
}


def deep(size: Size) -> Image.Image:
    """Return the street's light in 16 bits of grey, with noise in the lower ones."""
    high, low = street(size).convert("L").tobytes(), random.Random(3).randbytes(size[0] * size[1])
    both = bytearray(2 * len(high))
    both[0::2], both[1::2] = low, high
    return Image.frombytes("I;16", size, bytes(both))


def _light(size: Size, turn: int) -> Image.Image:
    return Image.linear_gradient("L").rotate(turn).resize(size).point(lambda value: 30 + value * 3 // 4)


def _noise(size: Size, rng: random.Random) -> Image.Image:
    return Image.frombytes("RGB", size, rng.randbytes(3 * size[0] * size[1]))


@cache
def grainy(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    """Return a picture with light, structure and sensor noise, as a camera gives; it is not to be drawn on."""
    light = Image.linear_gradient("L").resize(size).point(lambda value: 40 + value // 2)
    noise = Image.frombytes("L", size, random.Random(1).randbytes(size[0] * size[1]))
    bands = [Image.blend(light, noise.rotate(turn).filter(ImageFilter.GaussianBlur(1)), 0.4) for turn in (0, 90, 180)]
    return Image.merge("RGB", bands).convert(mode)
