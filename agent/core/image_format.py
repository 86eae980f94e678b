"""Which format a file is of, by its first bytes. Pure."""

from __future__ import annotations


def format_of(head: bytes) -> str | None:
    """Tell the format by the first 16 bytes: JPEG, PNG, WebP, TIFF, BMP, or None."""
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WebP"
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    # 'BM' alone may begin a text: the length of the second header must be a known one.
    if head.startswith(b"BM") and head[14:16] in {bytes((size, 0)) for size in (12, 40, 52, 56, 64, 108, 124)}:
        return "BMP"
    return None
