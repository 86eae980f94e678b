from __future__ import annotations

import pytest

from agent.core.image_rules import extensions_of
from agent.core.left_out import what_is, why_held, why_refused

TAKEN = frozenset({"jpg", "jpeg", "png"})


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.heic", "picture"),
        ("a.JFIF", "picture"),
        ("a.gif", "picture"),
        ("a.mp4", "video"),
        ("drive.mcap", "video"),
        ("a.tar.gz", "archive"),
        ("a.jpg", None),
        ("a.txt", None),
        ("labels.json", None),
        (".a.heic", None),
        ("a.heic.part", None),
        ("._a.heic", None),
        ("no extension", None),
        (".thumbs/a.heic", None),
    ],
)
def test_what_a_person_meant_is_known_by_its_extension(name: str, kind: str | None) -> None:
    assert what_is(name, TAKEN) == kind
    assert (why_refused(name, TAKEN) is not None) == (kind is not None)


def test_the_sentences_say_what_to_do() -> None:
    assert why_refused("a.heic", TAKEN) == (
        "it is a HEIC picture, which is not taken: browsers do not show it; export it as JPEG (what an iPhone takes "
        "by Settings, Camera, Formats, Most Compatible); or name it in IGNORE"
    )
    assert why_refused("a.dng", TAKEN) == (
        "it is a DNG, a camera's raw file, which is not taken: it must be developed first; export it as JPEG or PNG; "
        "or name it in IGNORE"
    )
    assert why_refused("a.gif", TAKEN) == (
        "a picture that is not taken: .gif is not in IMAGE_FORMATS; add gif to IMAGE_FORMATS, export it as one of "
        "jpeg, jpg, png, or name it in IGNORE"
    )
    assert why_refused("a.JFIF", TAKEN) == (
        "a picture that is not taken: .jfif is not in IMAGE_EXTENSIONS; add jfif to IMAGE_EXTENSIONS, export it as one "
        "of jpeg, jpg, png, or name it in IGNORE"
    )
    assert why_refused("a.tga", TAKEN) == (
        "a picture that is not taken: .tga is not in IMAGE_EXTENSIONS; export it as one of jpeg, jpg, png, "
        "or name it in IGNORE"
    )
    assert "export its frames" in (why_refused("a.mov", TAKEN) or "")
    assert "unpack it" in (why_refused("a.zip", TAKEN) or "")


def test_a_folder_tells_how_many_of_its_pictures_are_not_taken() -> None:
    assert why_held(8, ["a.gif", "b.GIF", "c.mp4", "d.txt"], TAKEN) == (
        "2 of 10 pictures are not taken: .gif; take .gif by IMAGE_FORMATS, export them as images of another kind, "
        "or leave them out by IGNORE"
    )
    assert why_held(8, ["a.heic", "b.avif", "c.tif", "d.jfif"], TAKEN) == (
        "4 of 12 pictures are not taken: .avif, .heic, .jfif, .tif; take .jfif by IMAGE_EXTENSIONS, take .avif, .tif "
        "by IMAGE_FORMATS, export them as images of another kind, or leave them out by IGNORE"
    )
    assert why_held(8, ["c.mp4", "d.txt"], TAKEN) == ""


def test_what_image_formats_adds_is_not_left_out() -> None:
    taken = TAKEN | extensions_of(["PNG", "AVIF", "GIF"])
    assert [what_is(name, taken) for name in ("a.avif", "b.GIF", "c.heic", "d.tif")] == [None, None] + 2 * ["picture"]
    assert extensions_of(["JPEG", "PNG", "WebP", "BMP"]) == set()
