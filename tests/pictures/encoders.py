"""The encoders: what each needs, and how it makes its pictures of every scene."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.pictures import commands, libraries
from tests.pictures.damage import write_sparsely
from tests.pictures.made import SOURCES, Good, Making
from tests.pictures.pillow import EXTENSIONS, WAYS
from tests.pictures.scenes import LARGE, SCENES
from tests.programs import Debian, Program, PyPI

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Ways = Sequence[tuple[str, str, dict[str, Any]]]


_LARGE_WAYS: Final = ("plain", "1 bit", "method 0", "method 4", "lossless fast")


@dataclass(frozen=True, slots=True)
class Encoder:
    """An encoder: its name, which programs it needs (itself first), and what makes its pictures."""

    name: str
    needs: tuple[PyPI | Debian, ...]
    make: Callable[[Making], list[Good]]


def _pillow(making: Making) -> list[Good]:
    made = []
    for scene, (name, size) in zip(making.scenes, SOURCES, strict=True):
        for number, way in enumerate(WAYS):
            path = making.path(scene, number, EXTENSIONS[way.form])
            Path(path).write_bytes(way.content(SCENES[name](size)))
            made.append(Good(making.encoder, scene, str(way), path))
    return [*made, *_large(making)]


def _large(making: Making) -> list[Good]:
    """Make pictures of 12 megapixels that are flat, or mostly: nowhere else are runs of equal bytes so long."""
    ways = [way for way in WAYS if way.form == "JPEG" or (way.form in ("PNG", "WEBP") and way.name in _LARGE_WAYS)]
    made = []
    for name in ("white", "black", "sky"):
        picture = SCENES[name](LARGE)
        for number, way in enumerate(ways):
            path = making.path(f"large-{name}", number, EXTENSIONS[way.form])
            Path(path).write_bytes(way.content(picture))
            made.append(Good(making.encoder, f"large {name}", str(way), path))
    return made


def _sparse(making: Making) -> list[Good]:
    """Have Pillow's pictures with much black, or much of one colour, copied as `cp --sparse=always` does."""
    made = []
    for scene, (name, size) in zip(making.scenes, SOURCES, strict=True):
        for number, way in enumerate(WAYS if name in {"mask", "fisheye", "white", "black"} else ()):
            path = making.path(scene, number, EXTENSIONS[way.form])
            write_sparsely(path, way.content(SCENES[name](size)))
            made.append(Good(making.encoder, scene, str(way), path))
    return made


def _by_library(library: str, ways: Ways, making: Making) -> list[Good]:
    jobs, made = [], []
    for scene in making.scenes:
        for number, (source, form, options) in enumerate(ways):
            path = making.path(scene, number, form)
            jobs.append((making.source(scene, source), path, options))
            made.append(Good(making.encoder, scene, f"{form} {options}", path))
    listed = making.out / "jobs.json"
    listed.write_text(json.dumps(jobs), "utf-8")
    making.run(making.programs[0], [os.path.abspath(libraries.__file__), library, str(listed)])
    return made


def _by_commands(ways: Sequence[str], making: Making) -> list[Good]:
    return making.by_commands(ways)


def _ffmpeg(making: Making) -> list[Good]:
    told = making.run(making.programs[0], ["-c", "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())"])
    return replace(making, programs=(Program(told.strip()),)).by_commands(commands.FFMPEG)


_OPENCV: Final[Ways] = (
    ("png", "jpg", {"JPEG_QUALITY": 90}),
    ("png", "jpg", {"JPEG_PROGRESSIVE": 1, "JPEG_OPTIMIZE": 1}),
    ("png", "jpg", {"JPEG_RST_INTERVAL": 2}),
    ("png", "jpg", {"JPEG_SAMPLING_FACTOR": 0x411111}),
    ("png", "jpg", {"JPEG_SAMPLING_FACTOR": 0x111111, "JPEG_QUALITY": 100}),
    ("png", "jpg", {"read": "GRAYSCALE", "JPEG_OPTIMIZE": 1}),
    ("png", "png", {"PNG_COMPRESSION": 0}),
    ("png", "png", {"PNG_COMPRESSION": 6, "PNG_STRATEGY": 2}),
    ("png", "png", {"read": "GRAYSCALE", "PNG_BILEVEL": 1}),
    ("alpha", "png", {}),
    ("png", "webp", {"WEBP_QUALITY": 80}),
    ("alpha", "webp", {"WEBP_QUALITY": 101}),
    ("png", "bmp", {}),
    ("png", "bmp", {"read": "GRAYSCALE"}),
    ("png", "tif", {"TIFF_COMPRESSION": 1}),
    ("png", "tif", {"TIFF_COMPRESSION": 5}),
    ("png", "tif", {"TIFF_COMPRESSION": 32773, "TIFF_ROWSPERSTRIP": 8}),
    ("alpha", "tif", {"TIFF_COMPRESSION": 8}),
)
_LIBVIPS: Final[Ways] = (
    ("png", "jpg", {"Q": 90}),
    ("png", "jpg", {"interlace": True, "optimize_coding": True}),
    ("png", "jpg", {"restart_interval": 5, "subsample_mode": "off"}),
    ("png", "jpg", {"cast": "b-w", "optimize_coding": True}),
    ("png", "jpg", {"cast": "cmyk", "Q": 85}),
    ("png", "png", {"compression": 9, "filter": "all"}),
    ("alpha", "png", {"interlace": True}),
    ("png", "png", {"palette": True, "bitdepth": 4}),
    ("png", "png", {"cast": "b-w", "bitdepth": 1}),
    ("png", "png", {"cast": "rgb16"}),
    ("png", "webp", {"Q": 75, "effort": 0}),
    ("png", "webp", {"lossless": True, "effort": 2}),
    ("alpha", "webp", {"near_lossless": True, "Q": 60}),
    ("png", "tif", {"compression": "none", "tile": True, "tile_width": 128, "tile_height": 128}),
    ("png", "tif", {"compression": "lzw", "predictor": "horizontal", "bigtiff": True}),
    ("png", "tif", {"compression": "deflate", "tile": True, "pyramid": True}),
    ("png", "tif", {"compression": "jpeg", "tile": True, "Q": 85}),
    ("alpha", "tif", {"compression": "packbits"}),
    ("png", "tif", {"cast": "b-w", "compression": "ccittfax4", "bitdepth": 1}),
)
_MOZJPEG: Final[Ways] = (("jpg", "jpg", {}),)
_TURBO: Final = "libjpeg-turbo-progs"
_MAGICK: Final = "usr/lib/*/ImageMagick-*/modules-*/coders"
_PLUGINS: Final = tuple(f"gstreamer1.0-plugins-{name}" for name in ("base", "good", "bad"))

ENCODERS: Final = (
    Encoder("Pillow", (), _pillow),
    Encoder("sparse copies", (), _sparse),
    Encoder("OpenCV", (PyPI("python", ("opencv-python-headless",)),), partial(_by_library, "cv2", _OPENCV)),
    Encoder("libvips", (PyPI("python", ("pyvips[binary]",)),), partial(_by_library, "pyvips", _LIBVIPS)),
    Encoder(
        "mozjpeg",
        (PyPI("python", ("mozjpeg-lossless-optimization",)),),
        partial(_by_library, "mozjpeg", _MOZJPEG),
    ),
    Encoder("ffmpeg", (PyPI("python", ("imageio-ffmpeg",)),), _ffmpeg),
    Encoder("cjpeg", (Debian("cjpeg", _TURBO),), partial(_by_commands, commands.CJPEG)),
    Encoder("jpegtran", (Debian("jpegtran", _TURBO),), partial(_by_commands, commands.JPEGTRAN)),
    Encoder(
        "ImageMagick",
        (Debian("convert-im6.q16", "imagemagick-6.q16", folders={"MAGICK_CODER_MODULE_PATH": _MAGICK}),),
        partial(_by_commands, commands.CONVERT),
    ),
    Encoder(
        "GStreamer",
        (
            Debian(
                "gst-launch-1.0", "gstreamer1.0-tools", _PLUGINS, folders={"GST_PLUGIN_PATH": "usr/lib/*/gstreamer-1.0"}
            ),
        ),
        partial(_by_commands, commands.GSTREAMER),
    ),
    Encoder("cwebp", (Debian("cwebp", "webp"),), partial(_by_commands, commands.CWEBP)),
    Encoder("tiffcp", (Debian("tiffcp", "libtiff-tools"),), partial(_by_commands, commands.TIFFCP)),
    Encoder("optipng", (Debian("optipng", "optipng"),), partial(_by_commands, commands.OPTIPNG)),
    Encoder("pngcrush", (Debian("pngcrush", "pngcrush"),), partial(_by_commands, commands.PNGCRUSH)),
)
