"""Is a doubtful picture whole? It is decoded by Pillow, which reading needs for nothing else: 4 MiB. I/O."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING

from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.WebPImagePlugin import WebPImageFile

from agent.reading.formats.source import cut_short

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

    from agent.reading.formats.source import Finding, Source

_MOST_PIXELS = 89_478_485  # Pillow's own limit (Image.MAX_IMAGE_PIXELS): decoding that many takes 358 MB
_MOST_BYTES = 64 * 1024 * 1024
_FLAT = 16
_BLOCK = 16

# Pillow's classes, not `Image.open`: that one warns of large images by a process-wide filter and hands a JPEG to a
# second plugin; nothing but the plugin named here ever sees the bytes.
_PLUGINS: dict[str, type[ImageFile]] = {"JPEG": JpegImageFile, "BMP": BmpImageFile, "WebP": WebPImageFile}
_one_decode = threading.Lock()


def problem_of(source: Source, form: str, finding: Finding) -> str | None:
    """Decode the whole picture; return the problem's sentence, or None where it could be decoded.

    A JPEG is decoded at an eighth of its size: all of its data is read, in little memory.
    """
    with _one_decode, os.fdopen(os.dup(source.fd), "rb") as file:
        file.seek(0)
        try:
            _limit(source.size, finding.pixels)  # before Pillow makes room for it
            with _PLUGINS[form](file) as picture:
                _limit(source.size, picture.size)
                picture.draft("L", (1, 1))
                picture.load()
                flat = not finding.zero_tail or _ends_flat(picture, finding.zero_tail)
        except Exception as error:  # on hostile bytes Pillow raises nearly anything
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's, not Pillow's own
            if isinstance(error, MemoryError):
                raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)) from error
            text = str(error).encode("unicode_escape").decode() or type(error).__name__
            return f"doubtful: {finding.doubt}, and it cannot be decoded ({text}); copy it again"
    return None if flat else cut_short(f"{finding.doubt}, where picture data belongs")


def _limit(size: int, pixels: tuple[int, int] | None) -> None:
    if size > _MOST_BYTES:
        raise ValueError(f"too large: {size:,} bytes")
    if pixels and pixels[0] * pixels[1] > _MOST_PIXELS:
        raise ValueError(f"too large: {pixels[0]} x {pixels[1]} pixels")


def _ends_flat(picture: ImageFile, zero_tail: int) -> bool:
    """Tell whether the picture's end explains `zero_tail` zeros in a WebP: it must be flat as far up as they reach.

    Measured: only a flat end gives zeros, at most 41 bits for each of VP8's blocks of 16 x 16 pixels; 64 are allowed.
    So what a row of blocks can give needs only the last row's right end to be flat; more needs all of it, and so many
    rows of blocks above it. Flat is within 16 of 256 steps: whole pictures with such an end have 12 and less; most
    whose data ends early go on in smears with 20 to 255, and noisy ones in a flat area too small for their zeros.
    """
    for_a_row = 8 * -(-picture.width // _BLOCK)
    if zero_tail <= for_a_row:
        return _is_flat(picture, max(0, picture.width - 64), picture.height - 1)
    lines = range(picture.height - 1, -1, -_BLOCK)
    needed = -(-zero_tail // for_a_row) - 1
    return needed <= len(lines) and all(_is_flat(picture, 0, line) for line in lines[:needed])


def _is_flat(picture: ImageFile, left: int, line: int) -> bool:
    row = picture.crop((left, line, picture.width, line + 1)).convert("RGB")
    return all(max(band.tobytes()) - min(band.tobytes()) <= _FLAT for band in row.split())
