"""Kinds of files that are not taken, by name: what it is that a person has dropped, and what to do about it. Pure.

'Copy it again' is said of none of them: it would be the same kind once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agent.core.image_format import brands_of

if TYPE_CHECKING:
    from collections.abc import Iterator

RAW_BYTES = 4096
"""How much of a TIFF tells whether it is a camera's raw file, whose first directory lies there."""
HAVE_KIN = ("PNG", "TIFF")
"""The formats of ours that files of another kind begin like."""


class Foreign(NamedTuple):
    """A kind of picture: what it is called, and what to do, as sentences go on."""

    name: str
    advice: str

    @property
    def sentence(self) -> str:
        """What is wrong with a file of this kind."""
        return f"it is {self.name}, which is not taken: {self.advice}"


_UNSHOWN = "browsers do not show it; export it as PNG or JPEG"

HEIC = Foreign(
    "a HEIC picture",
    "browsers do not show it; export it as JPEG (what an iPhone takes by Settings, Camera, Formats, Most Compatible)",
)
JPEG_XL = Foreign("a JPEG XL picture", "not every browser shows it; export it as PNG or JPEG")
JPEG_2000 = Foreign("a JPEG 2000 picture", _UNSHOWN)
JPEG_XR = Foreign("a JPEG XR picture", _UNSHOWN)
RAW = Foreign("a camera's raw file", "it must be developed first; export it as JPEG or PNG")
DNG = Foreign("a DNG, a camera's raw file", RAW.advice)
EXR = Foreign("an OpenEXR picture", _UNSHOWN)
PSD = Foreign("a Photoshop file", _UNSHOWN)
ICO = Foreign("an icon", "export it as PNG or JPEG")
CGBI = Foreign(
    "a PNG as Xcode packs it for iPhones (CgBI)",
    "browsers do not show it; send the PNG that it was made from, or let Xcode's pngcrush revert it",
)
_NETPBM = {
    **dict.fromkeys((b"P1", b"P4"), "a PBM"), **dict.fromkeys((b"P2", b"P5"), "a PGM"),
    **dict.fromkeys((b"P3", b"P6"), "a PPM"), b"P7": "a PAM", b"PF": "a PFM", b"Pf": "a PFM",
}  # fmt: skip
_BEGINNINGS = (
    (b"\xff\x0a", JPEG_XL), (b"\0\0\0\x0cJXL \r\n\x87\n", JPEG_XL),
    (b"\0\0\0\x0cjP  \r\n\x87\n", JPEG_2000), (b"\xff\x4f\xff\x51", JPEG_2000), (b"II\xbc", JPEG_XR),
    (b"FUJIFILMCCD-RAW", RAW), (b"IIRO", RAW), (b"IIRS", RAW), (b"MMOR", RAW), (b"IIU\0", RAW), (b"FOVb", RAW),
    (b"8BPS", PSD), (b"\x76\x2f\x31\x01", EXR), (b"\0\0\1\0", ICO),
)  # fmt: skip
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"), HEIC),
    b"crx ": RAW,
}
_EXTENSIONS = {
    **dict.fromkeys(("heic", "heif", "hif"), HEIC), "jxl": JPEG_XL, "dng": DNG, "exr": EXR, "psd": PSD, "ico": ICO,
    **dict.fromkeys(("jp2", "j2k", "jpf", "jpx"), JPEG_2000),
    **dict.fromkeys(("arw", "cr2", "cr3", "nef", "nrw", "orf", "pef", "raf", "rw2", "sr2"), RAW),
    **{word[2:].lower(): Foreign(word, _UNSHOWN) for word in _NETPBM.values()}, "pnm": Foreign("a PNM", _UNSHOWN),
}  # fmt: skip

_NO_PICTURES = (
    (b"%!PS", "PostScript", ""), (b"\xc5\xd0\xd3\xc6", "PostScript", ""), (b"%PDF", "a PDF", ""),
    (b"<svg", "an SVG", ""), (b"<?xml", "XML", ""),
    (b"<!DOC", "a web page", "where it was fetched from, there was no picture"),
    (b"<html", "a web page", "where it was fetched from, there was no picture"),
    (b"version https://git-lfs", "a pointer of Git LFS", "'git lfs pull' brings the picture"),
    (b"PK\x03\x04", "a ZIP archive", "unpack it"), (b"\x1f\x8b", "gzip data", "unpack it"),
    (b"\x1aE\xdf\xa3", "a video", "export its frames as images"),
)  # fmt: skip


def foreign_picture(head: bytes) -> Foreign | None:
    """Tell by a file's first bytes (`image_format.HEAD_BYTES`) which kind of picture it is that is not taken."""
    found = next((foreign for start, foreign in _BEGINNINGS if head.startswith(start)), None)
    if found is not None:
        return found
    brand = next((brand for brand in brands_of(head) if brand in _BRANDS), None)
    if brand is not None:
        return _BRANDS[brand]
    name = _NETPBM.get(head[:2]) if head[2:3].isspace() else None
    return None if name is None else Foreign(name, _UNSHOWN)


def no_picture(head: bytes) -> tuple[str, str] | None:
    """Tell what a file is that begins like no picture, and what to do, '' where there is nothing to say."""
    found = next(((kind, advice) for start, kind, advice in _NO_PICTURES if head.startswith(start)), None)
    if found is None and brands_of(head):
        return "a video", "export its frames as images"
    if found is None and head and all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head):
        return "text", ""
    return found


def foreign_named(extension: str) -> Foreign | None:
    """Tell by a file's extension which kind of picture it is that is not taken."""
    return _EXTENSIONS.get(extension)


def foreign_jpeg(marker: int, bits: int) -> Foreign | None:
    """Tell whether a JPEG is coded in a way that browsers do not show: by its frame's marker, and bits a sample.

    ITU-T T.81, table B.1: SOF3, 7, 11 and 15 are lossless, SOF5, 6, 13 and 14 hierarchical; ITU-T T.87: SOF55.
    """
    if marker == 0xF7:
        return Foreign("a JPEG-LS (SOF55)", _UNSHOWN)
    if marker in (0xC3, 0xC7, 0xCB, 0xCF):
        return Foreign(f"a lossless JPEG (SOF{marker - 0xC0})", _UNSHOWN)
    if marker in (0xC5, 0xC6, 0xCD, 0xCE):
        return Foreign(f"a hierarchical JPEG (SOF{marker - 0xC0})", _UNSHOWN)
    if bits == 12:
        return Foreign("a JPEG of 12 bits a sample", "browsers do not show it; export it with 8 bits, or as PNG")
    return None


def foreign_within(form: str, head: bytes) -> Foreign | None:
    """Tell whether a file that begins as a format of ours does is of another kind, by its first RAW_BYTES bytes."""
    if form == "PNG" and head[12:16] == b"CgBI":
        return CGBI
    return _raw(head) if form == "TIFF" else None


def _raw(head: bytes) -> Foreign | None:
    """Tell whether a TIFF is a camera's raw file.

    DNG specification: tag 50706 says the version. CR2 has its name at byte 8. NEF and ARW begin with a thumbnail
    (NewSubfileType 1) whose directory leads to others (SubIFDs), which no picture's does.
    """
    if head[8:10] == b"CR":
        return RAW
    tags = dict(_tags(head))
    if 50706 in tags:
        return DNG
    return RAW if tags.get(254) == 1 and 330 in tags else None


def _tags(head: bytes) -> Iterator[tuple[int, int]]:
    """Yield the tags of a TIFF's first directory, with what stands for a value, as far as they are there."""
    if len(head) < 8 or head[2:4] not in (b"*\0", b"\0*"):
        return
    little = head.startswith(b"II")

    def number(at: int, size: int) -> int:
        return int.from_bytes(head[at : at + size], "little" if little else "big")

    first = number(4, 4) + 2
    if first > len(head):
        return
    for at in range(first, min(first + 12 * number(first - 2, 2), len(head) - 11), 12):
        yield number(at, 2), number(at + 8, 4)
