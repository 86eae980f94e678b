"""A picture's file → a small one as it is seen, in a form that browsers show; of a file that is cut, what is there.

Decoded by Pillow's own classes, not by `Image.open`: that one looks for other formats in the bytes, and warns through a
filter of the whole process. What a file says of its size is asked before any room is made for it.
"""

from __future__ import annotations

import contextlib
import io
import os
import threading
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageChops
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from agent.core.image_format import HEAD_BYTES, format_of
from agent.page.finishing import Found, finished

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import BinaryIO

    from PIL.ImageFile import ImageFile

    from agent.page.finishing import Small

SMALL: Final = 224
"""The longer side of a thumbnail: twice what a strip shows, for screens of two dots to a pixel."""
LARGE: Final = 2400
"""The longer side of what stands for a picture that browsers do not show."""
_MOST_PIXELS: Final = 40_000_000
"""What is decoded whole, one at a time: 160 MB. A JPEG of one scan is decoded at an eighth, row by row."""
_FEW_PIXELS: Final = 4_000_000
"""What several threads may decode at once."""
_MOST_ROWWISE: Final = 500_000_000
_MOST_READ: Final = {"JPEG": 2**40, "WebP": 64 * 2**20, "AVIF": 64 * 2**20}
_MOST_READ_OF_OTHERS: Final = 256 * 2**20
"""What a file may have: Pillow reads a WebP, or a part of any other, in one piece; those of a JPEG are small."""
_MOST_BYTES: Final = 64 * 2**20
"""What is read of a file that ends too early, to see where."""
_MOST_COMPARED: Final = 16_000_000
_SHOWN: Final = {
    "JPEG": "image/jpeg", "PNG": "image/png", "WebP": "image/webp", "BMP": "image/bmp", "GIF": "image/gif",
    "AVIF": "image/avif",
}  # fmt: skip
_PLUGINS: Final[Mapping[str, Callable[[BinaryIO], ImageFile]]] = {
    "JPEG": JpegImageFile, "PNG": PngImageFile, "WebP": WebPImageFile, "BMP": BmpImageFile, "GIF": GifImageFile,
    "AVIF": AvifImageFile, "TIFF": TiffImageFile,
}  # fmt: skip
_ORIENTATION: Final = 0x0112
_TURNED: Final = frozenset({"JPEG", "PNG"})
"""What Chromium turns by its EXIF: WebP not, and TIFF it does not show."""
_WHOLE_OR_NOTHING: Final = frozenset({"WebP", "AVIF"})
_BLOCK: Final = 65536
_FEW_ZEROS: Final = 1024
_END: Final = b"\xff\xd9"
_one_large = threading.Lock()


class NotShownError(Exception):
    """A picture cannot be shown; the text is why, as a sentence."""


def shown_as(head: bytes) -> str | None:
    """Return the content type by which a browser shows a file, told by its first bytes; None where it does not."""
    return _SHOWN.get(format_of(head) or "")


def small(descriptor: int, orientation: int | None = None, side: int = SMALL) -> Small:
    """Return a picture with no side longer than `side`, turned as it is seen: by `orientation`, or (None) by its EXIF.

    Raises NotShownError; OSError where the file cannot be read.
    """
    form = format_of(os.pread(descriptor, HEAD_BYTES, 0)) or ""
    if form not in _PLUGINS:
        raise NotShownError("its first bytes are of no picture that is known here")
    try:
        decoding = _Decoding(form, descriptor, side)
        with _one_large if decoding.is_large() else contextlib.nullcontext():
            return finished(decoding.done(), orientation, side)
    except Exception as error:  # on hostile bytes Pillow raises nearly anything
        if isinstance(error, NotShownError) or _is_disks(error):
            raise
        raise NotShownError(f"it cannot be decoded ({str(error)[:200] or type(error).__name__})") from None


def _is_disks(error: Exception) -> bool:
    """Tell whether an error is of reading the file, not of what is in it."""
    return isinstance(error, OSError) and error.errno is not None


class _Decoding:
    """One file that is decoded, once where it is whole."""

    def __init__(self, form: str, descriptor: int, side: int) -> None:
        self._form = form
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size
        self._side = side
        self._is_rowwise = False
        self._orientation = 1

    def is_large(self) -> bool:
        """Tell whether to decode it takes much room. Raises what Pillow raises for what is no picture."""
        if self._size > _MOST_READ.get(self._form, _MOST_READ_OF_OTHERS):
            raise NotShownError(f"it is too large to be shown here: {self._size:,} bytes")
        with contextlib.closing(self._opened(None)) as file:
            picture = _PLUGINS[self._form](file)
            self._limit(picture)
            return picture.width * picture.height > _FEW_PIXELS and not self._is_rowwise

    def done(self) -> Found:
        """Decode it. Raises what Pillow raises where nothing is there at all."""
        end = self._end_of_data()
        try:
            if end == self._size:
                return Found(self._decoded(None, self._side), None, self._orientation)
        except Exception as error:  # what is cut, and what is hostile
            is_told = isinstance(error, NotShownError) or _is_disks(error)
            if is_told or self._size > _MOST_BYTES or self._form in _WHOLE_OR_NOTHING:
                raise
        content = self._content(end)
        is_in_scans = self._form == "JPEG" and not self._is_rowwise
        return self._of_scans(content) if is_in_scans else self._of_rows(content)

    def _end_of_data(self) -> int:
        """Return where a JPEG ends that zeros follow, as where space was reserved and not filled; else its size."""
        at = self._size
        if self._form != "JPEG" or self._size > _MOST_BYTES:
            return at
        while at > 0:
            start = max(0, at - _BLOCK)
            block = os.pread(self._descriptor, at - start, start).rstrip(b"\0")
            if block:
                end = start + len(block)
                return end if self._size - end > _FEW_ZEROS else self._size
            at = start
        raise NotShownError("it holds nothing but zeros")

    def _content(self, end: int) -> bytes:
        with self._opened(None) as file:
            return file.read(min(end, _MOST_BYTES))

    def _opened(self, content: bytes | None) -> BinaryIO:
        """Return the file from its beginning, or other content in its place; Pillow closes what it is given."""
        if content is not None:
            return io.BytesIO(content)
        file = os.fdopen(os.dup(self._descriptor), "rb")
        file.seek(0)
        return file

    def _decoded(self, content: bytes | None, side: int, canvases: list[Image.Image] | None = None) -> Image.Image:
        """Decode the file, or other content; with `canvases` upon a new one, of a colour that none there has."""
        with contextlib.closing(self._opened(content)) as file:
            picture = _PLUGINS[self._form](file)
            self._limit(picture)
            if self._form in _TURNED and content is None:
                self._orientation = _orientation_of(picture)
            picture.draft("RGB", (side, side))
            if canvases is not None:
                fill, bands = 255 * len(canvases), len(picture.getbands())
                canvases.append(Image.new(picture.mode, picture.size, fill if bands == 1 else (fill,) * bands))
                if picture.mode == "P":
                    canvases[-1].palette = picture.palette
                picture.im = canvases[-1].im
            picture.load()
            return picture

    def _limit(self, picture: ImageFile) -> None:
        """Raise NotShownError for what takes more room than there is for it."""
        width, height = picture.size
        self._is_rowwise = self._form == "JPEG" and not picture.info.get("progressive")
        if width * height > (_MOST_ROWWISE if self._is_rowwise else _MOST_PIXELS):
            raise NotShownError(f"it is too large to be shown here: {width:,} x {height:,} pixels")

    def _of_rows(self, content: bytes) -> Found:
        """Return what is there, and which rows are not: those that stay as they were, whatever that was."""
        self._compare(content)
        canvases: list[Image.Image] = []
        for count in (1, 2):
            try:
                self._decoded(content, self._side, canvases)
            except (OSError, ValueError, SyntaxError, EOFError, IndexError):
                if len(canvases) < count:
                    raise
        missing, picture = _rows_that_differ(*canvases), canvases[0]
        if self._form == "JPEG" and missing is not None:  # what is there of the row of blocks that is cut, too
            with contextlib.suppress(OSError, ValueError, SyntaxError):
                picture = self._decoded(content + _END, self._side)
        return Found(picture, missing, self._orientation)

    def _compare(self, content: bytes) -> None:
        """Raise NotShownError for what is too large to be decoded twice."""
        picture = _PLUGINS[self._form](io.BytesIO(content))
        if self._form != "JPEG" and picture.width * picture.height > _MOST_COMPARED:
            raise NotShownError("it ends too early, and is too large to be shown here")

    def _of_scans(self, content: bytes) -> Found:
        """Return a JPEG of several scans as far as they go: cut where its last bytes show, be it in a later scan."""
        last = min(256, len(content) // 50 + 16)
        whole, shorter = content + _END, content[:-last] + _END
        picture = self._decoded(whole, self._side)
        height = picture.height
        differing = _rows_that_differ(picture, self._decoded(shorter, self._side))
        if differing is None:  # a later scan may only be seen in full
            with contextlib.closing(JpegImageFile(io.BytesIO(whole))) as opened:
                side, pixels = max(opened.size), opened.width * opened.height
            if pixels <= _MOST_COMPARED:
                full = self._decoded(whole, side)
                height, differing = full.height, _rows_that_differ(full, self._decoded(shorter, side))
        top = differing[0] * picture.height // height if differing else picture.height - 1
        return Found(picture, (top, picture.height), self._orientation)


def _rows_that_differ(one: Image.Image, other: Image.Image) -> tuple[int, int] | None:
    if one.mode == "P":  # two entries of a palette may be one colour
        one, other = (Image.frombytes("L", each.size, each.tobytes()) for each in (one, other))
    box = ImageChops.difference(one, other).getbbox()
    return (box[1], box[3]) if box else None


def _orientation_of(picture: ImageFile) -> int:
    try:
        found = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 (hostile EXIF: nearly anything)
        return 1
    return found if isinstance(found, int) else 1
