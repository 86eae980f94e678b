"""The ways in which Pillow writes pictures: the encoder that is always there."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from PIL import features

from tests.pictures import scenes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from PIL import Image

EXTENSIONS: Final = {
    "JPEG": "jpg",
    "PNG": "png",
    "WEBP": "webp",
    "BMP": "bmp",
    "TIFF": "tif",
    "GIF": "gif",
    "AVIF": "avif",
}


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """A form, what becomes of the picture before it is written, and the options of writing."""

    form: str
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    before: Callable[[Image.Image], Image.Image] | None = None

    def content(self, picture: Image.Image) -> bytes:
        """Return the picture so written."""
        if self.name == "top-down":
            return _top_down(picture)
        file = io.BytesIO()
        (self.before(picture) if self.before else picture).save(file, self.form, **self.options)
        return file.getvalue()

    def __str__(self) -> str:
        return f"{self.form} {self.name}"


def _to(mode: str) -> Callable[[Image.Image], Image.Image]:
    return lambda picture: picture.convert(mode)


def _colours(count: int) -> Callable[[Image.Image], Image.Image]:
    return lambda picture: picture.quantize(count)


def _deep(picture: Image.Image) -> Image.Image:
    return scenes.deep(picture.size)


def _see_through(picture: Image.Image) -> Image.Image:
    seen = picture.convert("RGBA")
    seen.putalpha(picture.convert("L"))
    return seen


def _top_down(picture: Image.Image) -> bytes:
    """A BMP whose first row is the upper one, which Pillow reads and does not write."""
    width, height = picture.size
    row = picture.convert("RGB").tobytes("raw", "BGR")
    stride, padding = 3 * width, bytes(-3 * width % 4)
    rows = b"".join(row[at : at + stride] + padding for at in range(0, len(row), stride))
    head = struct.pack("<IiiHHIIiiII", 40, width, -height, 1, 24, 0, len(rows), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(rows), 0, 0, 54) + head + rows


def _jpeg() -> tuple[Way, ...]:
    return (
        Way("JPEG", "plain"),
        Way("JPEG", "q95 4:4:4", {"quality": 95, "subsampling": 0}),
        Way("JPEG", "q85 4:1:1", {"quality": 85, "subsampling": "4:1:1"}),
        Way("JPEG", "progressive q90", {"quality": 90, "progressive": True}),
        Way("JPEG", "optimised q20", {"quality": 20, "optimize": True}),
        Way("JPEG", "restart markers", {"restart_marker_blocks": 4}),
        Way("JPEG", "restart rows progressive", {"restart_marker_rows": 1, "progressive": True}),
        Way("JPEG", "grey optimised", {"optimize": True}, _to("L")),
        Way("JPEG", "CMYK", {"quality": 90}, _to("CMYK")),
        Way("JPEG", "RGB", {"keep_rgb": True, "quality": 90}),
        Way("JPEG", "comment", {"comment": b"an encoder's word", "quality": 100}),
    )


def _png() -> tuple[Way, ...]:
    return (
        Way("PNG", "plain"),
        Way("PNG", "fast", {"compress_level": 1}),
        Way("PNG", "stored", {"compress_level": 0}),
        Way("PNG", "grey", {}, _to("L")),
        Way("PNG", "grey with alpha", {}, _to("LA")),
        Way("PNG", "alpha", {}, _see_through),
        Way("PNG", "1 bit", {}, _to("1")),
        Way("PNG", "2 bit palette", {"bits": 2}, _colours(4)),
        Way("PNG", "4 bit palette", {"bits": 4}, _colours(16)),
        Way("PNG", "8 bit palette", {}, _colours(256)),
        Way("PNG", "16 bit", {}, _deep),
    )


def _webp() -> tuple[Way, ...]:
    return (
        *(Way("WEBP", f"method {method}", {"method": method, "quality": 30 + 10 * method}) for method in range(7)),
        Way("WEBP", "lossless fast", {"lossless": True, "method": 0, "quality": 10}),
        Way("WEBP", "lossless", {"lossless": True, "method": 3, "quality": 60}),
        Way("WEBP", "alpha", {"quality": 80}, _see_through),
        Way("WEBP", "lossless alpha", {"lossless": True, "method": 0, "exact": True}, _see_through),
    )


def _bmp() -> tuple[Way, ...]:
    return (
        Way("BMP", "24 bit"),
        Way("BMP", "32 bit", {}, _to("RGBA")),
        Way("BMP", "grey", {}, _to("L")),
        Way("BMP", "palette", {}, _colours(256)),
        Way("BMP", "1 bit", {}, _to("1")),
        Way("BMP", "top-down"),
    )


def _tiff() -> tuple[Way, ...]:
    return (
        Way("TIFF", "raw"),
        Way("TIFF", "raw 16 bit", {}, _deep),
        Way("TIFF", "raw palette", {}, _colours(256)),
        Way("TIFF", "LZW", {"compression": "tiff_lzw"}),
        Way("TIFF", "deflate", {"compression": "tiff_adobe_deflate"}),
        Way("TIFF", "packbits", {"compression": "packbits"}),
        Way("TIFF", "JPEG", {"compression": "jpeg"}),
        Way("TIFF", "group 4", {"compression": "group4"}, _to("1")),
        Way("TIFF", "BigTIFF", {"big_tiff": True}),
        Way("TIFF", "big-endian", {}, lambda picture: _deep(picture).convert("I;16B")),
        Way("TIFF", "short strips", {"strip_size": 8192}),
    )


def _gif() -> tuple[Way, ...]:
    return (
        Way("GIF", "plain"),
        Way("GIF", "interlaced", {"interlace": 1}),
        Way("GIF", "transparent", {"transparency": 3}, _colours(64)),
    )


def _avif() -> tuple[Way, ...]:
    if not features.check("avif"):
        return ()
    return (
        Way("AVIF", "plain", {"speed": 10}),
        Way("AVIF", "q100 4:4:4", {"quality": 100, "subsampling": "4:4:4", "speed": 10}),
        Way("AVIF", "alpha", {"speed": 10}, _see_through),
    )


WAYS: Final = (*_jpeg(), *_png(), *_webp(), *_bmp(), *_tiff(), *_gif(), *_avif())
