"""Which format a file is of, by its first bytes, and by which names it goes. Pure."""

from __future__ import annotations

EXTENSIONS: dict[str, tuple[str, ...]] = {
    "JPEG": ("jpg", "jpeg", "jpe", "jfif", "pjpeg"),
    "PNG": ("png",),
    "WebP": ("webp",),
    "BMP": ("bmp",),
    "TIFF": ("tif", "tiff"),
    "AVIF": ("avif",),
    "GIF": ("gif",),
}
"""The formats that can be proved whole, each with the extensions of its files."""
_NAMED = {extension: form for form, extensions in EXTENSIONS.items() for extension in extensions}

HEAD_BYTES = 64
"""How much of a file tells its format: an AVIF may name itself behind the brands of its family."""

_BEGINNINGS = (
    ("JPEG", (b"\xff\xd8\xff",)),
    ("PNG", (b"\x89PNG\r\n\x1a\n",)),
    ("TIFF", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    ("GIF", (b"GIF87a", b"GIF89a")),
)
_AVIF = (b"avif", b"avis")


def format_of(head: bytes) -> str | None:
    """Tell the format by the first HEAD_BYTES bytes: one of EXTENSIONS, or None."""
    for form, starts in _BEGINNINGS:
        if head.startswith(starts):
            return form
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WebP"
    # 'BM' alone may begin a text: the length of the second header must be a known one.
    if head.startswith(b"BM") and head[14:16] in {bytes((size, 0)) for size in (12, 40, 52, 56, 64, 108, 124)}:
        return "BMP"
    return "AVIF" if any(brand in _AVIF for brand in brands_of(head)) else None


def brands_of(head: bytes) -> list[bytes]:
    """Return the brands of a file of the ISO base media family (HEIC, AVIF, MP4 …): its own first; else none.

    ISO/IEC 14496-12, 4.3: `ftyp` holds the major brand, its version, and the compatible brands.
    """
    if head[4:8] != b"ftyp":
        return []
    end = min(int.from_bytes(head[:4]), len(head))
    return [head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))]


def extension_of(name: str) -> str:
    """Return what stands behind the last dot of a file's name, in lower case; '' where there is none."""
    return name.rpartition(".")[2].lower() if "." in name else ""


def format_named(extension: str) -> str | None:
    """Return the format whose files have an extension, None for those of no format here."""
    return _NAMED.get(extension)
