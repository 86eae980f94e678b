"""Small pictures made on the spot: a sky and a road on which things move from step to step."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw, ImageOps

WIDTH, HEIGHT = 480, 320
_SKIES = (("#0b1d4d", "#f7b267"), ("#2d82b7", "#e8f6ff"), ("#050516", "#3b2a5a"))


def picture(scene: int, step: int, form: str) -> bytes:
    """Return a whole picture of 480 x 320 pixels in one of Pillow's formats; each scene and step has its own bytes."""
    top, bottom = _SKIES[scene % len(_SKIES)]
    ramp = Image.linear_gradient("L").resize((WIDTH, HEIGHT))
    drawn = ImageOps.colorize(ramp, black=top, white=bottom)
    brush = ImageDraw.Draw(drawn)
    horizon = HEIGHT * 3 // 5
    sun = 60 + 24 * scene + 6 * step
    brush.ellipse((sun, 40, sun + 44, 84), fill="#fff3c4")
    brush.rectangle((0, horizon, WIDTH, HEIGHT), fill="#3a3d46")
    for dash in range(-1, 7):
        left = dash * 90 - (step * 22) % 90
        brush.rectangle((left, horizon + 60, left + 46, horizon + 66), fill="#d9d9d9")
    for lane, (colour, speed) in enumerate((("#e4572e", 31), ("#17bebb", 19), ("#ffc914", 11))):
        left = (70 * (scene + 1) * (lane + 1) + speed * step) % (WIDTH + 60) - 60
        base = horizon + 34 + lane * 36
        brush.rounded_rectangle((left, base - 24, left + 62, base), 6, fill=colour)
        brush.ellipse((left + 8, base - 7, left + 22, base + 7), fill="#111111")
        brush.ellipse((left + 40, base - 7, left + 54, base + 7), fill="#111111")
    held = io.BytesIO()
    drawn.save(held, form)
    return held.getvalue()
