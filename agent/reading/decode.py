"""Is a doubtful picture whole? It is decoded by Pillow, which reading needs for nothing else. I/O."""

from __future__ import annotations

import errno
import io
import os
import threading
from typing import TYPE_CHECKING

from agent.reading.formats.source import cut_short, never_written
from agent.reading.full import damage
from agent.reading.pillow import jpeg_file, webp_file
from agent.reading.suspects import fit
from agent.reading.webp_pictures import needs_all

if TYPE_CHECKING:
    from agent.core.image_rules import ImageRules
    from agent.reading.formats.source import Finding, Source

_MOST_PIXELS = 89_478_485  # Pillow's own limit (Image.MAX_IMAGE_PIXELS): decoding that many takes 358 MB
_MOST_HELD = 4 * _MOST_PIXELS  # bytes of a JPEG's coefficients, where they come in several scans
_MOST_BYTES = 64 * 1024 * 1024

# Pillow's classes, not `Image.open`: that one warns of large images by a process-wide filter and hands a JPEG to a
# second plugin; nothing but the plugin named here ever sees the bytes.
_one_decode = threading.Lock()


def problem_of(source: Source, form: str, finding: Finding, rules: ImageRules) -> str | None:
    """Decode the whole picture; return the problem's sentence, or None where it could be decoded.

    Where `rules` have every picture decoded, `agent.reading.full` does that; a large one is taken by its structure.
    """
    problem = _doubtful(source, form, finding) if finding.doubt else None
    size = source.size if form == "JPEG" else 0
    if problem is None and rules.decodes and not _too_large(size, finding.pixels, finding.held_bytes):
        with _one_decode:
            problem = damage(source, form)
    return problem


def _doubtful(source: Source, form: str, finding: Finding) -> str | None:
    """Decode a doubtful picture; return the problem's sentence, or None where it could be decoded.

    One that is doubtful for a run of bytes within its data alone is taken where it is too large to be decoded.
    """
    too_large = _too_large(source.size, finding.pixels, finding.held_bytes)
    if too_large:  # before Pillow makes room for it
        return None if finding.doubtful and not finding.zero_tail else _undecoded(finding, too_large)
    try:
        with _one_decode:
            return _problem_of_webp(source, finding) if form == "WebP" else _problem_of_jpeg(source, finding)
    except Exception as error:  # on hostile bytes Pillow raises nearly anything
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's, not Pillow's own
        if isinstance(error, MemoryError):
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)) from error
        return _undecoded(finding, str(error).encode("unicode_escape").decode() or type(error).__name__)


def _undecoded(finding: Finding, why: str) -> str:
    again = "copy it again, or save it anew if the copy is the same"
    return f"doubtful: {finding.doubt}, and it cannot be decoded ({why}); {again}"


def _problem_of_jpeg(source: Source, finding: Finding) -> str | None:
    """Decode a JPEG at an eighth of its size, or at half: all of its data is read."""
    if finding.doubtful:
        if fit(source, finding.doubtful):
            return None
        return f"damaged: {finding.doubt}, and what is there is not as much as the picture needs; copy it again"
    with os.fdopen(os.dup(source.fd), "rb") as file:
        file.seek(0)
        with jpeg_file()(file) as picture:
            _limit(source.size, picture.size)
            picture.draft("L", (1, 1))
            # In one block, not in many: Pillow's decoder of arithmetic JPEG cannot stop half way.
            picture.decodermaxblock = max(picture.decodermaxblock, source.size)
            picture.load()
    return None


def _problem_of_webp(source: Source, finding: Finding) -> str | None:
    if needs_all(source, finding.doubtful, _load_webp):
        return None
    doubt = finding.doubt or ""
    return cut_short(f"{doubt}, where picture data belongs") if finding.zero_tail else never_written(doubt)


def _load_webp(content: bytes, pixels: tuple[int, int]) -> None:
    _limit(len(content), pixels)
    with webp_file()(io.BytesIO(content)) as picture:
        picture.load()


def _limit(size: int, pixels: tuple[int, int]) -> None:
    if too_large := _too_large(size, pixels):
        raise ValueError(too_large)


def _too_large(size: int, pixels: tuple[int, int] | None, held_bytes: int = 0) -> str | None:
    width, height = pixels or (0, 0)
    if size > _MOST_BYTES:
        return f"too large: {size:,} bytes"
    if width * height > _MOST_PIXELS or held_bytes > _MOST_HELD:
        return f"too large: {width} x {height} pixels"
    return None
