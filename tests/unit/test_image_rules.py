"""Which whole pictures are sent, and the sentences for those that are not."""

from __future__ import annotations

from agent.core.image_rules import ImageRules


def test_a_tiff_is_held_since_no_browser_shows_it() -> None:
    assert ImageRules().why_held({"TIFF": ["a.tif"]}) == (
        "it is a TIFF: annotators' pages are browser pages, and browsers show no TIFF. Export it as PNG or JPEG; if "
        "your project converts what it gets, add tiff to IMAGE_FORMATS: 'retry' sends it as it is"
    )


def test_other_formats_are_held_since_the_setting_has_not_got_them() -> None:
    assert ImageRules().why_held({"AVIF": ["a.avif"]}) == (
        "it is an AVIF: IMAGE_FORMATS allows JPEG, PNG, WebP and BMP. Export it as PNG or JPEG; if your annotators' "
        "pages show that, add avif to IMAGE_FORMATS: 'retry' sends it as it is"
    )
    assert "it is a PNG: IMAGE_FORMATS allows JPEG. Export it as JPEG; " in (
        ImageRules(frozenset({"JPEG"})).why_held({"PNG": ["a.png"]})
    )


def test_a_sequence_tells_how_many_frames_and_which() -> None:
    names = [f"f{number}.tif" for number in range(5)]
    assert (
        ImageRules()
        .why_held({"TIFF": names}, 7)
        .startswith("5 of 7 frames are TIFF (f0.tif, f1.tif, f2.tif and 2 more): annotators' pages")
    )
    both = ImageRules().why_held({"GIF": ["a.gif"], "TIFF": ["b.tif"]}, 2)
    assert both.startswith("2 of 2 frames are TIFF and GIF (a.gif, b.tif): IMAGE_FORMATS allows JPEG")
    assert "Export them as PNG or JPEG" in both
    assert "add tiff,gif to IMAGE_FORMATS" in both


def test_a_picture_may_have_so_many_pixels() -> None:
    assert ImageRules().why_too_large((178_956_970, 1)) is None
    assert ImageRules(most_pixels=99).why_too_large((10, 10)) == (
        "too large: 10 x 10 pixels, and IMAGE_MAX_PIXELS allows 99: raise it and 'retry', or export the picture smaller"
    )
