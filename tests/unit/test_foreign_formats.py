"""What is not taken is called by its name: by its first bytes, by its extension, by a JPEG's frame, a TIFF's tags."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.foreign_formats import (
    CGBI,
    DNG,
    HEIC,
    JPEG_2000,
    JPEG_XL,
    JPEG_XR,
    RAW,
    foreign_jpeg,
    foreign_named,
    foreign_picture,
    foreign_within,
    no_picture,
)
from agent.core.image_format import EXTENSIONS, format_of
from agent.core.left_out import PICTURES


def ftyp(*brands: bytes) -> bytes:
    return struct.pack(">I", 16 + 4 * (len(brands) - 1)) + b"ftyp" + brands[0] + bytes(4) + b"".join(brands[1:])


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (ftyp(b"heic", b"mif1", b"heic"), HEIC.name),
        (ftyp(b"mif1", b"mif1", b"heic"), HEIC.name),
        (ftyp(b"crx ", b"crx ", b"isom"), RAW.name),
        (b"\xff\x0a\x10\x20", JPEG_XL.name),
        (b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl ", JPEG_XL.name),
        (b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 ", JPEG_2000.name),
        (b"\xff\x4f\xff\x51\0\x2f", JPEG_2000.name),
        (b"II\xbc\x01\x20\0\0\0", JPEG_XR.name),
        (b"P5\n640 480\n255\n", "a PGM"),
        (b"P6 640 480 255\n", "a PPM"),
        (b"P4\n8 8\n", "a PBM"),
        (b"FUJIFILMCCD-RAW 0201", RAW.name),
    ],
)
def test_a_kind_is_known_by_its_first_bytes(head: bytes, name: str) -> None:
    found = foreign_picture(head)
    assert found is not None
    assert found.name == name
    assert format_of(head) is None


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"<!DOCTYPE html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
        (b"PK\x03\x04\x14\0", "a ZIP archive"),
        (ftyp(b"mp42", b"isom"), "a video"),
        (b"P51 is an aeroplane", "text"),
        (b"hello\n", "text"),
        (b"\x1b[31m", None),
        (b"", None),
    ],
)
def test_what_is_no_picture(head: bytes, kind: str | None) -> None:
    assert foreign_picture(head) is None
    found = no_picture(head)
    assert (found and found[0]) == kind


@pytest.mark.parametrize(
    ("brands", "form"),
    [
        ((b"avif", b"mif1"), "AVIF"),
        ((b"avis", b"avif"), "AVIF"),
        ((b"mif1", b"miaf", b"avif"), "AVIF"),
        ((b"heic", b"mif1"), None),
        ((b"mp42", b"isom"), None),
    ],
)
def test_an_avif_is_one_whichever_of_its_brands_comes_first(brands: tuple[bytes, ...], form: str | None) -> None:
    assert format_of(ftyp(*brands)) == form
    assert format_of(ftyp(*brands) + b"\0\0\0\x10metaavif") == form  # what follows is no brand


@pytest.mark.parametrize(
    ("marker", "bits", "words"),
    [
        (0xC0, 8, None),
        (0xC2, 8, None),
        (0xC9, 8, None),  # arithmetic: shown
        (0xC1, 12, "12 bits"),
        (0xC3, 8, "lossless JPEG (SOF3)"),
        (0xCB, 8, "lossless JPEG (SOF11)"),
        (0xC5, 8, "hierarchical JPEG (SOF5)"),
        (0xF7, 8, "JPEG-LS"),
    ],
)
def test_codings_that_no_browser_shows(marker: int, bits: int, words: str | None) -> None:
    found = foreign_jpeg(marker, bits)
    assert (found is not None) == (words is not None)
    if found is not None and words is not None:
        assert words in found.sentence


def directory(order: str, *tags: tuple[int, int], at: int = 8, name: bytes = b"") -> bytes:
    start = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, at) + name
    entries = b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in tags)
    return start.ljust(at, b"\0") + struct.pack(order + "H", len(tags)) + entries + bytes(4)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_raw_file_is_told_from_a_tiff(order: str) -> None:
    assert foreign_within("TIFF", directory(order, (256, 64), (257, 64), (259, 1))) is None
    assert foreign_within("TIFF", directory(order, (254, 0), (256, 64), (330, 900))) is None  # a pyramid
    assert foreign_within("TIFF", directory(order, (256, 64), (50706, 0x01040000))) == DNG
    assert foreign_within("TIFF", directory(order, (254, 1), (256, 64), (330, 900))) == RAW
    assert foreign_within("TIFF", directory(order, (256, 64), at=16, name=b"CR\2\0")) == RAW


def test_a_png_of_xcodes_is_told() -> None:
    assert foreign_within("PNG", b"\x89PNG\r\n\x1a\n\0\0\0\4CgBI") == CGBI
    assert foreign_within("PNG", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR") is None


@given(st.sampled_from([b"II*\0", b"MM\0*", b"II+\0", b""]), st.binary(max_size=80))
def test_whatever_follows_nothing_is_raised(magic: bytes, rest: bytes) -> None:
    foreign_within("TIFF", magic + rest)
    foreign_picture(rest)
    no_picture(rest)


def test_each_extension_of_a_picture_is_of_a_kind_or_of_a_format() -> None:
    ours = {extension for extensions in EXTENSIONS.values() for extension in extensions}
    unnamed = {extension for extension in PICTURES - ours if foreign_named(extension) is None}
    assert unnamed == {"dib", "pcx", "svg", "tga", "xcf"}


def test_no_advice_is_to_copy_a_kind_again_that_is_not_taken() -> None:
    every = [CGBI, *filter(None, map(foreign_named, PICTURES)), *filter(None, (foreign_jpeg(0xC3, 8),))]
    assert not [each for each in every if "copy" in each.sentence]
    assert all(each.sentence.startswith("it is a") for each in every)
