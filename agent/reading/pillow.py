"""Pillow, imported with the first doubtful picture: 3 MiB, which most services never need. I/O.

Nothing of it is imported before, so that what comes late is of one version. While a new one is being put in its place
it cannot be imported: then a picture cannot be read yet, and nothing is said against it.
"""

from __future__ import annotations

import contextlib
import errno
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.WebPImagePlugin import WebPImageFile


def jpeg_file() -> type[JpegImageFile]:
    """Return what opens a JPEG. Raises OSError."""
    with _importing():
        from PIL.JpegImagePlugin import JpegImageFile  # noqa: PLC0415 - see above
    return JpegImageFile


def webp_file() -> type[WebPImageFile]:
    """Return what opens a WebP. Raises OSError."""
    with _importing():
        from PIL.WebPImagePlugin import WebPImageFile  # noqa: PLC0415 - see above
    return WebPImageFile


@contextlib.contextmanager
def _importing() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise OSError(errno.EAGAIN, f"Pillow, which is to decode it, cannot be imported: {error}") from error
