"""IMAGE_CHECK=full: every picture is decoded, by decoders that say where its data make no sense. I/O.

JPEGs are decoded by libjpeg-turbo through simplejpeg (the extra `fullcheck`), which hands on its warnings, where Pillow
hides them: at an eighth of the size, since its data are read all the same. All others are decoded by Pillow.
"""

from __future__ import annotations

import errno
import os
import re
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from agent.errors import SettingsError

if TYPE_CHECKING:
    from agent.core.image_rules import ImageRules
    from agent.reading.formats.source import Source

_DAMAGE = ("Corrupt JPEG data", "Premature end of JPEG")
"""What libjpeg-turbo's warnings about data begin with; others are about headers that no browser minds."""
_SPARE = re.compile(r"Corrupt JPEG data: (?:\d|1[0-6]) extraneous bytes before marker 0xd9")
"""It says the first of its warnings alone, so all was decoded: many webcams write a few bytes more before the end.
Of 60 pictures with two parts in each other's place none had fewer than 26 there (measured)."""
_PLUGINS = {"JPEG": "Jpeg", "PNG": "Png", "WebP": "WebP", "BMP": "Bmp", "TIFF": "Tiff", "AVIF": "Avif", "GIF": "Gif"}


def require(rules: ImageRules) -> None:
    """Raise SettingsError where every picture is to be decoded, and what decodes JPEGs is not installed."""
    if rules.decodes and find_spec("simplejpeg") is None:
        raise SettingsError(
            ["IMAGE_CHECK is full, and what decodes JPEGs for it is not installed: pip install '.[fullcheck]'."]
        )


def damage(source: Source, form: str) -> str | None:
    """Decode a picture that is whole by its structure; return the problem's sentence, or None.

    Where a decoder does not know this kind of picture, its structure alone counts.
    """
    said = _said_of_jpeg(source) if form == "JPEG" else None
    if said is None:
        said = _said_by_pillow(source, form)
    return f"damaged: it cannot be decoded without errors ({said}); copy it again" if said else None


def _said_of_jpeg(source: Source) -> str | None:
    """Return what is wrong with a JPEG, '' for nothing, None where its kind is not known."""
    import simplejpeg  # noqa: PLC0415 - an extra, which may be missing

    content = os.pread(source.fd, source.size, 0)
    try:
        colours = simplejpeg.decode_jpeg_header(content)[2]
        colours = "CMYK" if colours in ("CMYK", "YCCK") else "GRAY"
        simplejpeg.decode_jpeg(content, colorspace=colours, min_factor=8, strict=True)
    except ValueError as error:
        said = str(error)
        if _SPARE.match(said):
            return ""
        return said if said.startswith(_DAMAGE) else None
    except MemoryError as error:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)) from error
    return ""


def _said_by_pillow(source: Source, form: str) -> str:
    name = _PLUGINS[form]
    try:
        plugin = getattr(import_module(f"PIL.{name}ImagePlugin"), f"{name}ImageFile")
    except ImportError:  # AVIF came with Pillow 11.3
        return ""
    with os.fdopen(os.dup(source.fd), "rb") as file:
        file.seek(0)
        try:
            picture = plugin(file)
        except Exception:  # noqa: BLE001 - Pillow raises nearly anything for a kind that it does not know
            return ""
        if form == "PNG":  # it reads the chunks behind the pixels, and minds what no viewer does: long texts, say
            picture.load_end = lambda: None
        try:
            with picture:
                picture.decodermaxblock = max(picture.decodermaxblock, source.size if form == "JPEG" else 0)
                picture.load()
        except MemoryError as error:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)) from error
        except Exception as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's, not Pillow's own
            return str(error).encode("unicode_escape").decode() or type(error).__name__
    return ""
